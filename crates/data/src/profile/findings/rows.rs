//! Advice on rows: what is missing, what is there twice, what must stay together, what the test table shares.

use super::{Finding, Given, Severity, percent, quoted};
use crate::examples::Columns;
use crate::profile::{Profile, excerpt};

/// Below this share of the rows duplicates are a curiosity.
const FEW: f64 = 0.001;

pub(super) fn findings(profile: &Profile, columns: &Columns, given: &Given) -> Vec<Finding> {
    let found = [
        missing_labels(profile),
        empty_texts(profile),
        shared_with_test(profile),
        conflicts(profile),
        duplicates(profile, columns, given),
        group(columns, given),
        shared_sentences(profile, columns, given),
    ];
    found.into_iter().flatten().collect()
}

fn missing_labels(profile: &Profile) -> Option<Finding> {
    let missing = profile.labels.as_ref()?.missing;
    (missing > 0).then(|| {
        let what = format!("rows without a usable label: {missing} of {}", profile.rows);
        let advice = "training refuses them: fill the labels in or remove the rows";
        Finding::new(Severity::Problem, "missing_labels", what, advice).evidence([("rows", missing as f64)])
    })
}

fn empty_texts(profile: &Profile) -> Option<Finding> {
    let empty = profile.empty_texts;
    (empty > 0).then(|| {
        let what = format!("rows with an empty text: {empty} of {}", profile.rows);
        let advice = "they are kept and classified from the special tokens alone; remove them if they are mistakes";
        Finding::new(Severity::Note, "empty_texts", what, advice).evidence([("rows", empty as f64)])
    })
}

fn shared_with_test(profile: &Profile) -> Option<Finding> {
    let test = profile.test.as_ref()?;
    let share = test.shared.normalised as f64 / test.rows as f64;
    (test.shared.normalised > 0).then(|| {
        let what = format!(
            "rows of {} that are also in the training table: {} of {} ({}), to the letter {}",
            excerpt(&test.file),
            test.shared.normalised,
            test.rows,
            percent(share),
            test.shared.exact
        );
        let advice = "if you score on that table the score flatters: remove these rows from the training table first";
        let severity = if share < FEW { Severity::Note } else { Severity::Warning };
        Finding::new(severity, "shared_with_test", what, advice).evidence([
            ("exact", test.shared.exact as f64),
            ("normalised", test.shared.normalised as f64),
            ("share", share),
        ])
    })
}

fn conflicts(profile: &Profile) -> Option<Finding> {
    let conflicts = &profile.duplicates.conflicts;
    if conflicts.groups == 0 {
        return None;
    }
    let (groups, rows) = (conflicts.groups, conflicts.rows);
    let severity = if rows as f64 / (profile.rows as f64) < FEW { Severity::Note } else { Severity::Warning };
    let numbers = [("texts", groups as f64), ("rows", rows as f64)];
    Some(match conflicts.widest {
        Some(widest) => {
            let what = format!("texts with more than one score: {groups} in {rows} rows, up to {widest:.2} apart");
            let advice = "look at them below: what people disagree on, no model can learn; keep one score of each";
            Finding::new(severity, "conflicts", what, advice).evidence(numbers).evidence([("widest", widest)])
        }
        None => {
            let ceiling = 1.0 - conflicts.minority as f64 / profile.rows as f64;
            let what = format!("texts with more than one label: {groups} in {rows} rows");
            let advice = format!(
                "look at them below: on these rows no model is right throughout (at best {} of the table), so correct or \
                 remove them",
                percent(ceiling)
            );
            let numbers = [numbers[0], numbers[1], ("minority", conflicts.minority as f64), ("ceiling", ceiling)];
            Finding::new(severity, "conflicts", what, advice).evidence(numbers)
        }
    })
}

fn duplicates(profile: &Profile, columns: &Columns, given: &Given) -> Option<Finding> {
    let (exact, plain) = (profile.duplicates.exact.surplus, profile.duplicates.normalised.surplus);
    let share = plain as f64 / profile.rows as f64;
    if plain == 0 || given.group.is_some() {
        return None;
    }
    let what = format!(
        "rows that repeat an earlier one but for spelling: {plain} ({}), to the letter {exact}",
        percent(share)
    );
    let line = exact > 0 && columns.group.is_none();
    let advice = if line {
        "a random holdout puts some on both sides, and its score flatters: keep rows of one text together"
    } else {
        "a random holdout puts some on both sides, and its score flatters: remove them, or give each text's rows a group"
    };
    let severity = if share < FEW { Severity::Note } else { Severity::Warning };
    let finding = Finding::new(severity, "duplicates", what, advice).evidence([
        ("exact", exact as f64),
        ("normalised", plain as f64),
        ("share", share),
    ]);
    let column = shared_column(profile, columns);
    Some(if line { finding.recipe(format!("data.group = {}", quoted(column))) } else { finding })
}

/// The column of texts that more rows have in common: a row has one group only.
fn shared_column<'a>(profile: &Profile, columns: &'a Columns) -> &'a str {
    let shared = profile.duplicates.shared_sentences.filter(|shared| shared.second > shared.first);
    shared.and(columns.text_pair.as_deref()).unwrap_or(&columns.text)
}

/// A column that looks like a group and is not one yet.
fn group(columns: &Columns, given: &Given) -> Option<Finding> {
    let column = columns.group.as_ref().filter(|_| given.group.is_none())?;
    let what = format!("column {:?} looks as if it said which rows belong together", excerpt(column));
    let advice = "rows of one group must not part between training and validation, or the score flatters";
    let finding = Finding::new(Severity::Warning, "group", what, advice);
    Some(finding.recipe(format!("data.group = {}", quoted(column))))
}

/// Pairs that have a sentence in common, one of a few sentences paired with many.
fn shared_sentences(profile: &Profile, columns: &Columns, given: &Given) -> Option<Finding> {
    let shared = profile.duplicates.shared_sentences?;
    let share = shared.first.max(shared.second) as f64 / profile.rows as f64;
    if share < 0.05 || given.group.is_some() || columns.group.is_some() {
        return None;
    }
    let column = shared_column(profile, columns);
    let what = format!(
        "rows that share their {:?} with another: {} ({})",
        excerpt(column),
        shared.first.max(shared.second),
        percent(share)
    );
    let advice = "a model that has seen half of a pair has an easier validation: keep rows of one sentence together";
    let finding = Finding::new(Severity::Warning, "shared_sentences", what, advice).evidence([
        ("first", shared.first as f64),
        ("second", shared.second as f64),
        ("identical", shared.identical as f64),
    ]);
    Some(finding.recipe(format!("data.group = {}", quoted(column))))
}
