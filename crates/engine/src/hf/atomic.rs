//! Files and directories that appear whole or not at all.
//!
//! A file is written under a temporary name beside its own, synced and renamed. A directory is built beside its target
//! and moved into place when everything in it is on the disk. The temporary names are fixed, so that what an
//! interrupted run left is cleared by the next: there may be one writer of a target at a time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::HfError;

/// Writes the file `path` with `fill`, replacing what was there only when all of it is on the disk.
///
/// # Errors
/// [`HfError::DiskFull`] or [`HfError::Io`] naming the file; it then is as it was, and no temporary file remains.
pub fn write_file(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), HfError> {
    let temporary = sibling(path, "tmp").map_err(HfError::io(path, "write"))?;
    let written = fill_and_sync(&temporary, fill).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        discard_file(&temporary);
        return Err(HfError::io(path, "write")(error));
    }
    sync_parent(path).map_err(HfError::io(path, "sync the directory of"))
}

/// Builds the directory `target` with `fill`, which gets the path of an empty directory beside it, and moves it into
/// place, replacing a directory that was there. Parents are created.
///
/// Between the two renames of a replacement the old directory stands under another name; a process killed at that
/// moment loses nothing, since the next `write_directory` or [`recover_directory`] of the same target puts it back.
///
/// # Errors
/// What `fill` returns; [`HfError::DiskFull`] or [`HfError::Io`]. The old directory is then as it was, and the new one
/// is removed.
pub fn write_directory<T, E: From<HfError>>(target: &Path, fill: impl FnOnce(&Path) -> Result<T, E>) -> Result<T, E> {
    recover_directory(target)?;
    if target.exists() && !target.is_dir() {
        let error = io::Error::new(io::ErrorKind::NotADirectory, "a file of that name is in the way");
        return Err(HfError::io(target, "write the directory")(error).into());
    }
    let staging = sibling(target, "tmp").map_err(HfError::io(target, "write the directory"))?;
    remove_directory(&staging).map_err(HfError::io(&staging, "remove"))?;
    fs::create_dir_all(&staging).map_err(HfError::io(&staging, "create"))?;

    let result = fill(&staging).and_then(|value| {
        sync_tree(&staging).map_err(HfError::io(target, "sync"))?;
        swap(&staging, target).map_err(HfError::io(target, "move into place"))?;
        Ok(value)
    });
    if result.is_err() {
        // The error that is returned matters more than a failure to clean up, and the next writer clears the rest.
        let _ = remove_directory(&staging);
    }
    result
}

/// Puts back the directory `target` if a replacement of it was cut short between its two renames; otherwise removes
/// what such a replacement may have left behind. For the owner of a directory that [`write_directory`] replaces, before
/// it reads it; not while another process may be writing.
///
/// # Errors
/// [`HfError::Io`] when the directory cannot be moved or removed.
pub fn recover_directory(target: &Path) -> Result<(), HfError> {
    let aside = sibling(target, "old").map_err(HfError::io(target, "recover"))?;
    if !aside.exists() {
        Ok(())
    } else if target.exists() {
        remove_directory(&aside).map_err(HfError::io(&aside, "remove"))
    } else {
        fs::rename(&aside, target).map_err(HfError::io(target, "recover"))
    }
}

fn fill_and_sync(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(path)?);
    fill(&mut writer)?;
    writer.flush()?;
    writer.get_ref().sync_all()
}

fn swap(staging: &Path, target: &Path) -> io::Result<()> {
    if !target.exists() {
        fs::rename(staging, target)?;
        return sync_parent(target);
    }
    let aside = sibling(target, "old")?;
    fs::rename(target, &aside)?;
    if let Err(error) = fs::rename(staging, target) {
        fs::rename(&aside, target)?;
        return Err(error);
    }
    sync_parent(target)?;
    remove_directory(&aside)
}

/// `.name.suffix` in the directory of `path`.
fn sibling(path: &Path, suffix: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no name"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".");
    hidden.push(suffix);
    Ok(path.with_file_name(hidden))
}

fn discard_file(path: &Path) {
    // Called on the way out with an error that matters more; the next writer overwrites the file.
    let _ = fs::remove_file(path);
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Syncs every file under `path`, then the directories themselves.
fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_directory(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    }
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Only Unix opens directories as files; elsewhere a rename is durable when the file system says so.
#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> io::Error {
        io::Error::from(io::ErrorKind::StorageFull)
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn put(dir: &Path, text: &str) -> Result<(), HfError> {
        write_file(&dir.join("data"), |file| file.write_all(text.as_bytes()))
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_no_temporary_one() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "old").unwrap();
        let error = write_file(&dir.path().join("data"), |file| {
            file.write_all(b"half")?;
            file.flush()?;
            Err(full())
        })
        .unwrap_err();
        assert!(matches!(error, HfError::DiskFull { .. }), "{error:?}");
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("data: cannot write, the disk or quota is full"), "{error}");
        assert_eq!(names(dir.path()), ["data"]);
        assert_eq!(fs::read(dir.path().join("data")).unwrap(), b"old");
    }

    #[test]
    fn a_directory_replaces_the_old_one_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("deep/model");
        write_directory(&target, |staging| {
            put(staging, "first")?;
            write_file(&staging.join("stale"), |_| Ok(()))
        })
        .unwrap();
        write_directory(&target, |staging| put(staging, "second")).unwrap();
        assert_eq!(names(&target), ["data"]);
        assert_eq!(fs::read(target.join("data")).unwrap(), b"second");
        assert_eq!(names(target.parent().unwrap()), ["model"]);
    }

    #[test]
    fn a_failure_while_filling_leaves_the_old_directory() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model");
        write_directory(&target, |staging| put(staging, "old")).unwrap();
        let error = write_directory(&target, |staging| {
            put(staging, "new")?;
            write_file(&staging.join("more"), |_| Err(full()))
        });
        assert!(matches!(error, Err(HfError::DiskFull { .. })));
        assert_eq!(fs::read(target.join("data")).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["model"]);
    }

    #[test]
    fn a_replacement_cut_short_between_its_renames_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("model");
        write_directory(&target, |staging| put(staging, "old")).unwrap();
        fs::rename(&target, dir.path().join(".model.old")).unwrap();
        fs::create_dir(dir.path().join(".model.tmp")).unwrap();
        recover_directory(&target).unwrap();
        assert_eq!(fs::read(target.join("data")).unwrap(), b"old");
        write_directory(&target, |staging| put(staging, "new")).unwrap();
        assert_eq!(fs::read(target.join("data")).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["model"]);
    }

    #[test]
    fn a_file_in_the_way_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "precious").unwrap();
        let error = write_directory(&dir.path().join("data"), |staging| put(staging, "new")).unwrap_err();
        assert!(error.to_string().contains("in the way"), "{error}");
        assert_eq!(fs::read(dir.path().join("data")).unwrap(), b"precious");
    }
}
