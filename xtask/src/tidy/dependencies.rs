//! Which crate may depend on which, read from the `Cargo.toml` files.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Violation;

/// The table of ARCHITECTURE.md: a crate and the crates of this workspace it may name.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("kernels", &[]),
    ("data", &[]),
    ("engine", &["kernels", "data"]),
    ("eval", &["data"]),
    ("tune", &[]),
    ("store", &[]),
    ("pipeline", &["data", "engine", "eval", "tune"]),
    ("cli", &["kernels", "data", "engine", "eval", "tune", "store", "pipeline"]),
];

const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks one manifest. The root's only lists what may be used, so it has nothing to check.
pub(super) fn check(path: &str, text: &str) -> Result<Vec<Violation>> {
    let allowed: &[&str] = match path.strip_suffix("/Cargo.toml") {
        None => return Ok(Vec::new()),
        Some("xtask") => &[],
        Some(folder) => {
            let name = folder.strip_prefix("crates/").unwrap_or(folder);
            match ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) {
                Some((_, allowed)) => allowed,
                None => {
                    let message = format!(
                        "crate \"{name}\" is not in the table; add it to ARCHITECTURE.md and to ALLOWED in {}",
                        file!()
                    );
                    return Ok(vec![Violation::new(path, 1, message)]);
                }
            }
        }
    };
    let manifest: Table = text.parse().with_context(|| format!("{path}: not TOML"))?;
    let mut violations = Vec::new();
    for dependency in workspace_dependencies(&manifest) {
        if !allowed.contains(&dependency.as_str()) {
            let package = format!("gyeol-{dependency}");
            let line = text.lines().position(|line| line.contains(&package)).map_or(1, |index| index + 1);
            let may = if allowed.is_empty() { "none of ours".to_owned() } else { allowed.join(", ") };
            let message =
                format!("may not depend on {package} (allowed: {may}); move the code to where both may see it");
            violations.push(Violation::new(path, line, message));
        }
    }
    Ok(violations)
}

/// The crates of this workspace a manifest names, for any target and purpose, under their own name or another.
fn workspace_dependencies(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let per_target = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    let mut found = Vec::new();
    for table in std::iter::once(manifest).chain(per_target) {
        for dependencies in KINDS.iter().filter_map(|kind| table.get(*kind)).filter_map(Value::as_table) {
            for (key, value) in dependencies {
                let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
                found.extend(package.strip_prefix("gyeol-").map(str::to_owned));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(path, text).unwrap().iter().map(|violation| violation.line).collect()
    }

    #[test]
    fn the_routes_of_the_architecture_pass() {
        let text = "[dependencies]\ngyeol-data.workspace = true\ngyeol-kernels.workspace = true\nhalf = \"2\"\n";
        assert!(lines("crates/engine/Cargo.toml", text).is_empty());
        assert!(lines("Cargo.toml", "[workspace.dependencies]\ngyeol-data = { path = \"crates/data\" }\n").is_empty());
    }

    #[test]
    fn a_dependency_against_the_flow_is_named_with_its_line() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nserde = \"1\"\ngyeol-engine.workspace = true\n";
        let found = check("crates/eval/Cargo.toml", text).unwrap();
        assert_eq!(
            found[0].to_string(),
            "crates/eval/Cargo.toml:5: may not depend on gyeol-engine (allowed: data); \
             move the code to where both may see it"
        );
    }

    #[test]
    fn development_target_and_renamed_dependencies_count() {
        assert_eq!(lines("crates/data/Cargo.toml", "[dev-dependencies]\ngyeol-eval.workspace = true\n"), [2]);
        let target = "[target.'cfg(unix)'.dependencies]\ngyeol-engine.workspace = true\n";
        assert_eq!(lines("crates/kernels/Cargo.toml", target), [2]);
        let renamed = "[dependencies]\nother = { path = \"../eval\", package = \"gyeol-eval\" }\n";
        assert_eq!(lines("xtask/Cargo.toml", renamed), [2]);
    }

    #[test]
    fn a_crate_outside_the_table_is_a_violation() {
        assert_eq!(lines("crates/misc/Cargo.toml", ""), [1]);
    }
}
