//! How much memory a run may take: what the variable says, else the least of what the machine has left and what its control
//! groups, as containers have, leave.
//!
//! Read here rather than by the crate sysinfo: to it, files that the system has cached occupy a control group's memory as anything
//! else does, so that after a large table was read a container would seem to have little left. Systems without `/proc` are
//! unknown, and then nothing is limited.

use std::fs;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use crate::Error;

/// The environment variable that says it instead, as in `2GiB`.
pub(crate) const VARIABLE: &str = "GYEOL_MEMORY";

/// Bytes a run may take; `None` if nobody knows.
pub(crate) fn available() -> Result<Option<u64>, Error> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => parse(&text).map(Some),
        _ => Ok(of_system(Path::new("/"))),
    }
}

fn parse(text: &str) -> Result<u64, Error> {
    let size: Result<ByteSize, _> = text.parse();
    size.map(|size| size.as_u64()).map_err(|_| Error::Setting {
        key: VARIABLE,
        problem: format!("{text:?} is not an amount of memory; write one such as 2GiB or 800MB"),
    })
}

/// What the system whose root directory is `root` has left.
fn of_system(root: &Path) -> Option<u64> {
    of_machine(root).into_iter().chain(of_groups(root)).min()
}

fn of_machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.trim().strip_suffix("kB")?;
    Some(kibibytes.trim().parse::<u64>().ok()? * 1024)
}

/// Where a version of control groups says what.
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` with what the system would give back: files it has cached and nobody reads.
    cached: &'static str,
}

const VERSION_1: Files =
    Files { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cached: "total_inactive_file" };
const VERSION_2: Files = Files { limit: "memory.max", usage: "memory.current", cached: "inactive_file" };

/// What each control group of this process leaves, of those that have a limit.
fn of_groups(root: &Path) -> Vec<u64> {
    let Ok(text) = fs::read_to_string(root.join("proc/self/cgroup")) else { return Vec::new() };
    let mut left = Vec::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (mount, files) = match controllers {
            "" => (root.join("sys/fs/cgroup"), VERSION_2),
            _ if controllers.split(',').any(|name| name == "memory") => (root.join("sys/fs/cgroup/memory"), VERSION_1),
            _ => continue,
        };
        left.extend(groups_above(&mount, group).filter_map(|dir| left_in(&dir, &files)));
    }
    left
}

/// The group's directory and those above it: each may have a limit. In a container only the topmost may be there.
fn groups_above(mount: &Path, group: &str) -> impl Iterator<Item = PathBuf> {
    let group = group.trim_start_matches('/').to_owned();
    let mount = mount.to_owned();
    let depth = Path::new(&group).ancestors().count();
    (0..depth).filter_map(move |above| Some(mount.join(Path::new(&group).ancestors().nth(above)?)))
}

fn left_in(group: &Path, files: &Files) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    // A group without a limit says "max", or a number larger than any memory.
    let (limit, usage) = (number(files.limit)?, number(files.usage)?);
    let stat = read("memory.stat").unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(files.cached)?.trim().parse::<u64>().ok());
    Some(limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root directory with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:   8000 kB\n");

    #[test]
    fn the_variable_takes_amounts_with_units_and_says_what_it_expects() {
        for (text, bytes) in [("2GiB", 2 << 30), ("800MB", 800_000_000), ("1.5 MiB", 3 << 19), ("4096", 4096)] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
        let error = parse("much").unwrap_err();
        assert!(error.is_user_error());
        assert_eq!(
            error.to_string(),
            "GYEOL_MEMORY: \"much\" is not an amount of memory; write one such as 2GiB or 800MB"
        );
    }

    #[test]
    fn a_system_that_says_nothing_is_unknown() {
        assert_eq!(of_system(root(&[]).path()), None);
        assert_eq!(of_system(root(&[("proc/meminfo", "MemFree: 1 kB\n")]).path()), None);
    }

    #[test]
    fn without_control_groups_it_is_what_the_machine_has_left() {
        assert_eq!(of_system(root(&[MEMINFO]).path()), Some(8000 << 10));
        let unlimited = [MEMINFO, ("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/memory.max", "max\n")];
        assert_eq!(of_system(root(&unlimited).path()), Some(8000 << 10));
    }

    #[test]
    fn the_tightest_control_group_of_version_2_counts_less_what_it_would_give_back() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/user/job\n"),
            ("sys/fs/cgroup/user/job/memory.max", "5000000\n"),
            ("sys/fs/cgroup/user/job/memory.current", "1000000\n"),
            ("sys/fs/cgroup/user/memory.max", "3000000\n"),
            ("sys/fs/cgroup/user/memory.current", "2500000\n"),
            ("sys/fs/cgroup/user/memory.stat", "anon 2000000\ninactive_file 500000\n"),
        ];
        assert_eq!(of_system(root(&files).path()), Some(1_000_000));
    }

    #[test]
    fn a_control_group_of_version_1_counts_also_where_only_the_topmost_is_seen() {
        let groups = ("proc/self/cgroup", "5:cpu:/\n4:memory:/docker/abc\n0::/\n");
        let of = |dir: &str| {
            let file = |name: &str| format!("sys/fs/cgroup/memory{dir}/{name}");
            let (limit, usage, stat) =
                (file("memory.limit_in_bytes"), file("memory.usage_in_bytes"), file("memory.stat"));
            let stat_text = "inactive_file 1\ntotal_inactive_file 100\n";
            of_system(root(&[MEMINFO, groups, (&limit, "2000"), (&usage, "1500"), (&stat, stat_text)]).path())
        };
        assert_eq!([of(""), of("/docker/abc")], [Some(600); 2]);
    }
}
