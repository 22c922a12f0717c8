//! Advice on labels: imbalance, rare classes, the range of scores, sources that give the label away, thresholds.

use super::{Finding, Given, Severity, percent, quoted};
use crate::examples::Columns;
use crate::profile::{Class, LabelKind, Profile, Summary, excerpt};

/// The largest class over the smallest from which accuracy begins to hide the small one.
const IMBALANCED: f64 = 3.0;
/// Rows of a class below which a tenth of them says nothing about it.
const RARE: usize = 50;
/// Share of the variance of the scores between sources from which the source is worth a look.
const EXPLAINS: f64 = 0.05;
/// Share of the rows in one bucket of scores from which the scores count as crowded.
const CROWDED: f64 = 0.4;

pub(super) fn findings(profile: &Profile, columns: &Columns, given: &Given) -> Vec<Finding> {
    let mut found = Vec::new();
    match profile.labels.as_ref().map(|labels| &labels.kind) {
        Some(LabelKind::Classification { classes, imbalance, evenness }) => {
            found.extend(balance(classes, *imbalance, *evenness, given));
            found.extend(rare(classes));
        }
        Some(LabelKind::Regression { summary, buckets, .. }) => {
            found.extend(range(summary, given));
            let fullest = buckets.counts.iter().enumerate().max_by_key(|(_, count)| **count);
            if let Some((at, &count)) = fullest {
                found.extend(crowd([buckets.edge(at), buckets.edge(at + 1)], count as f64 / summary.count as f64));
            }
        }
        None => {}
    }
    found.extend(thresholds(profile));
    found.extend(sources(profile, columns, given));
    found
}

fn balance(classes: &[Class], imbalance: f64, evenness: f64, given: &Given) -> Option<Finding> {
    if imbalance < IMBALANCED || given.metric.as_deref() == Some("macro_f1") {
        return None;
    }
    let most = classes.iter().max_by_key(|class| class.rows)?;
    let least = classes.iter().min_by_key(|class| class.rows)?;
    let what = format!(
        "class {:?} has {} of the rows, {:?} only {} ({imbalance:.1} to 1)",
        excerpt(&most.label),
        percent(most.share),
        excerpt(&least.label),
        percent(least.share)
    );
    let advice = format!(
        "always answering {:?} is right in {}: if small classes matter, select by a metric that counts each class alike",
        excerpt(&most.label),
        percent(most.share)
    );
    let finding = Finding::new(Severity::Warning, "imbalance", what, advice).evidence([
        ("ratio", imbalance),
        ("majority", most.share),
        ("evenness", evenness),
    ]);
    Some(finding.recipe("metric = \"macro_f1\"".to_owned()))
}

fn rare(classes: &[Class]) -> Option<Finding> {
    let rare: Vec<&Class> = classes.iter().filter(|class| class.rows < RARE).collect();
    let total: usize = classes.iter().map(|class| class.rows).sum();
    // In a small table every class is small.
    if rare.is_empty() || total < 10 * RARE {
        return None;
    }
    let named: Vec<String> =
        rare.iter().take(5).map(|class| format!("{:?} {}", excerpt(&class.label), class.rows)).collect();
    let more = if rare.len() > 5 { ", …" } else { "" };
    let what = format!("classes with fewer than {RARE} rows: {} ({}{more})", rare.len(), named.join(", "));
    let advice = "a tenth of so few rows measures nothing: hold out more, or merge classes";
    let finding = Finding::new(Severity::Warning, "rare_classes", what, advice);
    Some(finding.evidence([("classes", rare.len() as f64)]).recipe("data.holdout = 0.2".to_owned()))
}

fn range(scores: &Summary, given: &Given) -> Option<Finding> {
    let [low, high] = [scores.min.floor(), scores.max.ceil()];
    let numbers = [("lowest", scores.min), ("highest", scores.max)];
    match given.score_range {
        Some([from, to]) if scores.min < from || scores.max > to => {
            let what = format!("scores go from {} to {}, beyond data.score_range", scores.min, scores.max);
            let advice = "predictions are clamped to the range, so these rows can never be right: widen it";
            let finding = Finding::new(Severity::Problem, "score_range", what, advice).evidence(numbers);
            Some(finding.recipe(format!("data.score_range = [{:?}, {:?}]", from.min(low), to.max(high))))
        }
        Some(_) => None,
        None if high > low => {
            let what = format!("scores go from {} to {}", scores.min, scores.max);
            let advice = "predictions outside the range cannot be right: clamp them to it";
            let finding = Finding::new(Severity::Note, "score_range", what, advice).evidence(numbers);
            Some(finding.recipe(format!("data.score_range = [{low:?}, {high:?}]")))
        }
        None => None,
    }
}

fn crowd([from, to]: [f64; 2], share: f64) -> Option<Finding> {
    (share >= CROWDED).then(|| {
        let what = format!("{} of the scores are from {from} to {to}", percent(share));
        let advice = "a model that always answers there looks good by its error: trust a correlation instead";
        let finding = Finding::new(Severity::Note, "crowded_scores", what, advice).evidence([("share", share)]);
        finding.recipe("metric = \"pearson\"".to_owned())
    })
}

fn thresholds(profile: &Profile) -> impl Iterator<Item = Finding> {
    // A column the score says little about is no threshold on it.
    let tell = profile.thresholds.iter().filter(|found| 1.0 - found.agreement <= 0.5 * (1.0 - found.baseline));
    tell.map(|found| {
        let [_, high] = &found.values;
        let what = format!(
            "column {:?} is {high:?} from a score of {} on (highest score below: {}): {} of the rows agree{}",
            excerpt(&found.column),
            found.threshold,
            found.below,
            percent(found.agreement),
            match found.disagreeing {
                0 => String::new(),
                rows => format!(", all but {rows}"),
            }
        );
        let advice = "if you report a binary score, cut the predictions there, whatever the documentation says";
        let severity = if found.disagreeing > 0 { Severity::Warning } else { Severity::Note };
        Finding::new(severity, "threshold", what, advice).evidence([
            ("threshold", found.threshold),
            ("below", found.below),
            ("agreement", found.agreement),
            ("disagreeing", found.disagreeing as f64),
        ])
    })
}

fn sources(profile: &Profile, columns: &Columns, given: &Given) -> Option<Finding> {
    let sources = profile.sources.as_ref().filter(|sources| sources.count > 1)?;
    let explained = sources.explained.filter(|&share| share >= EXPLAINS);
    if given.source.is_some() && explained.is_none() {
        return None;
    }
    let column = columns.source.as_deref()?;
    let (what, severity) = match explained {
        Some(share) => {
            let what = format!("the source alone explains {} of the variance of the scores", percent(share));
            (what, Severity::Warning)
        }
        None => (format!("column {:?} parts the rows into {} sources", excerpt(column), sources.count), Severity::Note),
    };
    let advice = "a model can gain by telling sources apart without reading: look at the score of each source";
    let finding = Finding::new(severity, "sources", what, advice)
        .evidence([("sources", sources.count as f64), ("explained", sources.explained.unwrap_or(0.0))]);
    Some(if given.source.is_none() { finding.recipe(format!("data.source = {}", quoted(column))) } else { finding })
}
