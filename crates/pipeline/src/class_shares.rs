//! How often each class is predicted against how often it is there, and the warning where the weights of the loss ask for
//! another share than the metric rewards.

use gyeol_eval::{Metric, Report as Scored};

use crate::class_weights;
use crate::prepare::Prepared;
use crate::runs::ClassShare;

/// The true and the predicted share of each class in the rows scored; none for scores.
pub(crate) fn of(scored: &Scored) -> Vec<ClassShare> {
    let Scored::Classification(report) = scored else { return Vec::new() };
    let share = |rows: u64| rows as f64 / report.rows.max(1) as f64;
    let of = |class: &gyeol_eval::ClassRow| ClassShare {
        label: class.label.clone(),
        truth: share(class.support),
        predicted: share(class.predicted),
    };
    report.classes.iter().map(of).collect()
}

/// What a person should know where classes weigh unequally and the metric is accuracy, which counts every row alike: how
/// far the predictions of the validation rows part from their classes.
pub(crate) fn weights_against_accuracy(prepared: &Prepared, shares: &[ClassShare]) -> Option<String> {
    // The mean of those that train is 1; a class that no row has weighs nothing.
    let unequal = class_weights::of(prepared)?.iter().any(|&weight| weight > 0.0 && (weight - 1.0).abs() > 1e-9);
    if prepared.metric != Metric::Accuracy || !unequal || shares.is_empty() {
        return None;
    }
    let names = prepared.recipe.data.label_names.as_deref();
    let name = |class: usize| names.map_or(&*shares[class].label, |names| &names[class]);
    Some(describe(shares, name))
}

fn describe<'a>(shares: &'a [ClassShare], name: impl Fn(usize) -> &'a str) -> String {
    let told = |class: usize| {
        let ClassShare { truth, predicted, .. } = shares[class];
        let (truth, predicted) = (100.0 * truth, 100.0 * predicted);
        format!("{} {predicted:.1} % against {truth:.1} % ({:+.1})", name(class), predicted - truth)
    };
    let excess = |class: &usize| shares[*class].predicted - shares[*class].truth;
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| excess(b).total_cmp(&excess(a)));
    let over: Vec<String> = order.iter().filter(|class| excess(class) > 0.0).map(|&class| told(class)).collect();
    let under: Vec<String> = order.iter().rev().filter(|class| excess(class) < 0.0).map(|&class| told(class)).collect();
    let evidence = if over.is_empty() {
        "predicted shares of the validation rows are the true ones".to_owned()
    } else {
        format!("in the validation rows, predicted too often: {}; too seldom: {}", over.join(", "), under.join(", "))
    };
    format!(
        "loss.class_weights let some classes count for more, and the metric is accuracy, which counts every row alike; {evidence}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(shares: &[(f64, f64)]) -> Vec<ClassShare> {
        let share = |(class, &(truth, predicted)): (usize, &(f64, f64))| ClassShare {
            label: class.to_string(),
            truth,
            predicted,
        };
        shares.iter().enumerate().map(share).collect()
    }

    #[test]
    fn classes_are_told_by_how_far_their_shares_part() {
        let shares = shares(&[(0.4, 0.3), (0.1, 0.25), (0.375, 0.325), (0.125, 0.125)]);
        let names = ["나쁨", "별로", "괜찮음", "좋음"];
        let text = describe(&shares, |class| names[class]);
        let evidence = "predicted too often: 별로 25.0 % against 10.0 % (+15.0); too seldom: 나쁨 30.0 % against 40.0 % \
                        (-10.0), 괜찮음 32.5 % against 37.5 % (-5.0)";
        assert!(text.ends_with(evidence), "{text}");
    }

    #[test]
    fn shares_that_are_alike_are_said_to_be() {
        let shares = shares(&[(0.5, 0.5), (0.5, 0.5)]);
        let text = describe(&shares, |class| &shares[class].label);
        assert!(text.ends_with("predicted shares of the validation rows are the true ones"), "{text}");
    }
}
