//! From numbers to advice: what deserves attention, the evidence, and the recipe line that acts on it.
//!
//! Only keys that a recipe has are named. The rules are grouped as the topics are: `rows`, `labels`, `texts`.

mod labels;
mod rows;
mod texts;

use std::collections::BTreeMap;

use serde::Serialize;

use super::Profile;
use super::text::is_steering;
use crate::examples::Columns;

/// What a recipe says already.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// Its `metric`.
    pub metric: Option<String>,
    /// Its `data.group`.
    pub group: Option<String>,
    /// Its `data.source`.
    pub source: Option<String>,
    /// Its `data.score_range`.
    pub score_range: Option<[f64; 2]>,
    /// Positions the base model has: no `model.max_length` goes beyond.
    pub positions: Option<usize>,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training would refuse the table, or its score would mean nothing.
    Problem,
    /// The score suffers or flatters unless something is done.
    Warning,
    /// Worth a line of the recipe, or worth knowing.
    Note,
}

/// One piece of advice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// A name for programs, such as `imbalance`.
    pub name: &'static str,
    /// What was found, as a sentence without a full stop.
    pub what: String,
    /// What to do about it, likewise.
    pub advice: String,
    /// The numbers behind it by name; shares are in `[0, 1]`.
    pub evidence: BTreeMap<&'static str, f64>,
    /// The recipe line that acts on it, as a dotted key; absent where it is the table that needs work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
}

impl Finding {
    fn new(severity: Severity, name: &'static str, what: String, advice: impl Into<String>) -> Self {
        Self { severity, name, what, advice: advice.into(), evidence: BTreeMap::new(), recipe: None }
    }

    fn evidence<const N: usize>(mut self, numbers: [(&'static str, f64); N]) -> Self {
        self.evidence.extend(numbers);
        self
    }

    fn recipe(self, line: String) -> Self {
        Self { recipe: Some(line), ..self }
    }
}

/// All findings, the worst first; within a severity in the order of the topics.
pub(super) fn findings(profile: &Profile, columns: &Columns, given: &Given) -> Vec<Finding> {
    let mut findings = rows::findings(profile, columns, given);
    findings.extend(labels::findings(profile, columns, given));
    findings.extend(texts::findings(profile, given));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// `12.3 %`.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A TOML string; what would steer a terminal or turn a line round is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_steering(c) => quoted.push_str(&format!("\\u{:04X}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ProfileOptions;
    use crate::table::{Table, TextFormat};

    fn table(csv: &str) -> Table {
        Table::from_reader(csv.as_bytes(), TextFormat::Csv, "t.csv").unwrap()
    }

    fn names(csv: &str, columns: &Columns, options: &ProfileOptions<'_>) -> Vec<&'static str> {
        let profile = Profile::new(&table(csv), columns, options).unwrap();
        profile.findings.iter().map(|finding| finding.name).collect()
    }

    fn reviews() -> Columns {
        Columns { text: "review".into(), label: Some("label".into()), ..Columns::default() }
    }

    fn line(csv: &str, columns: &Columns, name: &str) -> Option<String> {
        let profile = Profile::new(&table(csv), columns, &ProfileOptions::default()).unwrap();
        profile.findings.into_iter().find(|finding| finding.name == name).expect("found").recipe
    }

    #[test]
    fn a_clean_balanced_table_needs_no_advice() {
        let rows: String = (0..60).map(|row| format!("글 번호 {row},{}\n", row % 2)).collect();
        assert_eq!(names(&format!("review,label\n{rows}"), &reviews(), &ProfileOptions::default()), [""; 0]);
    }

    #[test]
    fn missing_labels_come_before_all_else() {
        let csv = "review,label\n가,1\n가,1\n나,0\n다,\n";
        assert_eq!(names(csv, &reviews(), &ProfileOptions::default())[0], "missing_labels");
    }

    #[test]
    fn duplicates_are_kept_together_by_their_text() {
        let csv = "review \"x\",label\n가,1\n가,1\n나,0\n";
        let columns = Columns { text: "review \"x\"".into(), ..reviews() };
        assert_eq!(line(csv, &columns, "duplicates").unwrap(), r#"data.group = "review \"x\"""#);
    }

    #[test]
    fn imbalance_asks_for_a_metric_that_sees_every_class_unless_the_recipe_has_it() {
        let rows: String = (0..50).map(|row| format!("글 {row},{}\n", u8::from(row % 10 == 0))).collect();
        let csv = format!("review,label\n{rows}");
        assert_eq!(line(&csv, &reviews(), "imbalance").unwrap(), "metric = \"macro_f1\"");
        let given = Given { metric: Some("macro_f1".into()), ..Given::default() };
        let options = ProfileOptions { given, ..ProfileOptions::default() };
        assert!(!names(&csv, &reviews(), &options).contains(&"imbalance"));
    }

    #[test]
    fn scores_get_a_range_of_whole_numbers() {
        let csv = "review,label\n가,0.2\n나,4.75\n다,3.5\n";
        assert_eq!(line(csv, &reviews(), "score_range").unwrap(), "data.score_range = [0.0, 5.0]");
    }

    #[test]
    fn a_string_of_toml_has_no_bare_quotes_or_control_characters() {
        assert_eq!(quoted("a\"b\\c\nd\u{202e}"), "\"a\\\"b\\\\c\\u000Ad\\u202E\"");
    }
}
