//! Rules for texts: the documents that must exist, links that resolve, no paths of one person's machine.

use super::Violation;

/// The documents every reader looks for first.
const REQUIRED: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// Where people's own files are; written so that this file passes its own rule.
const PRIVATE: [&str; 3] = [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "Users/")];

/// A violation for each required document that does not exist.
pub(super) fn required(exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let missing = REQUIRED.iter().filter(|name| !exists(name));
    missing.map(|name| Violation::new(name, 1, "does not exist; write it")).collect()
}

/// Paths that exist on one machine only.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for private in PRIVATE {
            // `example.com/home/` and `a/root/b` are not absolute paths.
            let absolute = |at: usize| {
                !line[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || matches!(before, '.' | '_' | '-' | '/'))
            };
            if line.match_indices(private).any(|(at, _)| absolute(at)) {
                let message = format!("names a path under {private}; use a relative path or an argument");
                violations.push(Violation::new(path, index + 1, message));
            }
        }
    }
    violations
}

/// Relative links of a Markdown file whose target is not there. `exists` is asked with the target, relative to the file.
pub(super) fn links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            for target in targets(line) {
                if !exists(&target) {
                    let message = format!("link to \"{target}\", which does not exist; mend or remove it");
                    violations.push(Violation::new(path, index + 1, message));
                }
            }
        }
    }
    violations
}

/// The local files a line links to: `[text](target)`, `![alt](target)` and `[name]: target`, without `#fragment` and title.
fn targets(line: &str) -> Vec<String> {
    // Every other piece between back-ticks is code.
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("_");
    let mut found: Vec<&str> = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    if prose.starts_with('[') {
        found.extend(prose.split_once("]: ").map(|(_, target)| target));
    }
    let local = found.iter().filter_map(|target| target.split_whitespace().next()).filter(|target| {
        let scheme = target.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphabetic()));
        !scheme && !target.starts_with('#')
    });
    local.map(|target| target.split('#').next().unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_documents_are_named() {
        let found = required(|name| name != "CHANGELOG.md");
        assert_eq!(found, [Violation::new("CHANGELOG.md", 1, "does not exist; write it")]);
    }

    #[test]
    fn absolute_private_paths_are_found_and_others_are_not() {
        let text = format!("see {}me/notes\nsee example.com{}page\nin ..{}x\n", PRIVATE[0], PRIVATE[0], PRIVATE[1]);
        let lines: Vec<usize> = machine_paths("a.md", &text).iter().map(|violation| violation.line).collect();
        assert_eq!(lines, [1]);
    }

    #[test]
    fn links_are_read_from_prose_only() {
        let line = "a [b](c.md#part \"title\"), ![d](e.png), [f](https://g.h), [i](#j), `[k](l)` [m](n/)";
        assert_eq!(targets(line), ["c.md", "e.png", "n/"]);
        assert_eq!(targets("[name]: docs/guide.md"), ["docs/guide.md"]);
        let text = "```\n[x](gone.md)\n```\n[y](gone.md)\n[z](here.md)\n";
        let found = links("a.md", text, |target| target == "here.md");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 4);
    }
}
