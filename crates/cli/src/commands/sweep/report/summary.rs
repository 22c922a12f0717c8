//! The report for a terminal: the best trials, what mattered, what it cost.

use gyeol_tune::importance::Importance;

use super::view::{View, number, score, state, value};
use crate::output::{self, duration, one_line, title};

/// As many of the best trials are listed.
const BEST: usize = 10;
/// As many of the most important parameters stand beside them.
const BESIDE: usize = 5;
/// Characters of the longest bar.
const BAR: usize = 24;
/// Characters of a name or value before it is cut.
const WIDEST: usize = 32;

/// The whole summary, sections one below the other.
pub(crate) fn summary(view: &View) -> String {
    let mut sections = vec![heading(view)];
    sections.extend(winner(view));
    sections.extend(best(view));
    if !view.parameters.is_empty() {
        sections.push(match &view.importance {
            Ok(shares) => importance(view, shares),
            Err(error) => format!("{}\n{error}", title("What mattered")),
        });
    }
    sections.push(costs(view));
    sections.join("\n\n")
}

fn heading(view: &View) -> String {
    let states: Vec<String> = view.states().iter().map(|(kind, trials)| format!("{trials} {}", state(*kind))).collect();
    let trials = match view.rows.len() {
        0 => "no trials yet".to_owned(),
        1 => format!("1 trial, {}", states[0].trim_start_matches("1 ")),
        trials => format!("{trials} trials: {}", states.join(", ")),
    };
    format!("{}  {}, {}\n{trials}", title(&one_line(&view.name)), one_line(&view.metric), view.direction())
}

fn winner(view: &View) -> Option<String> {
    let number = view.winner?;
    let confirmed = view.confirmed.iter().find(|confirmed| confirmed.trial == number && !confirmed.scores.is_empty());
    let words = confirmed.map_or_else(|| "not confirmed over fresh seeds".to_owned(), super::Confirmed::words);
    Some(format!("{} trial {number}, {words}", title("Winner")))
}

fn best(view: &View) -> Option<String> {
    let ranked = view.ranked();
    if ranked.is_empty() {
        return None;
    }
    let beside: Vec<usize> = view.by_importance().into_iter().take(BESIDE).collect();
    let names: Vec<String> = beside.iter().map(|&index| short(&view.parameters[index].name)).collect();
    let mut header = vec!["trial", "score", "state", "took"];
    header.extend(names.iter().map(String::as_str));
    let right: Vec<usize> = [0, 1].into_iter().chain(4..header.len()).collect();
    let mut table = output::table(&header, &right);
    for trial in ranked.iter().take(BEST) {
        let figure = score(trial).map_or_else(String::new, |score| format!("{score:.4}"));
        let cells = [trial.number.to_string(), figure, state(trial.state).to_owned(), duration(trial.seconds)];
        let values = beside.iter().map(|&index| short(&value(trial.assignment.get(&view.parameters[index].name))));
        table.add_row(cells.into_iter().chain(values));
    }
    Some(format!("{}\n{}", title("Best trials"), output::render(&table)))
}

fn importance(view: &View, importance: &Importance) -> String {
    let mut table = output::table(&["parameter", "share of the variance", "", "correlation"], &[2, 3]);
    for index in view.by_importance() {
        let Some(dimension) = importance.dimensions.get(index) else { continue };
        table.add_row([
            short(&view.parameters[index].name),
            bar(dimension.share),
            percent(dimension.share, dimension.deviation),
            dimension.correlation.map_or_else(|| "–".to_owned(), |correlation| format!("{correlation:+.2}")),
        ]);
    }
    let mut lines = vec![title("What mattered"), output::render(&table)];
    let told = importance.interactions.iter().filter(|interaction| interaction.share >= 0.01);
    for interaction in told.take(3) {
        let [a, b] = interaction.dimensions.map(|index| short(&view.parameters[index].name));
        lines.push(format!("together: {a} × {b} {}", percent(interaction.share, interaction.deviation)));
    }
    lines.extend(reservations(importance));
    lines.join("\n")
}

/// What speaks for and against believing the shares, a sentence each.
pub(super) fn reservations(importance: &Importance) -> Vec<String> {
    let mut sentences = vec![format!(
        "fANOVA on {} trials{}; ± is the standard deviation over the trees of the forest.",
        importance.used,
        if importance.left_out > 0 {
            format!(", {} without a score left out", importance.left_out)
        } else {
            String::new()
        }
    )];
    match importance.explained {
        Some(share) if share < 0.1 => sentences.push(
            "The forest does not predict trials it has not seen: which parameter mattered cannot be told from these."
                .to_owned(),
        ),
        Some(share) => {
            sentences
                .push(format!("The forest explains {:.0} % of the variance of trials it has not seen.", share * 100.0));
        }
        None => {}
    }
    if importance.rests_on_few() {
        let enough = 4 * importance.dimensions.len();
        sentences.push(format!("Fewer than {enough} trials, four a parameter: the ranking may be chance."));
    }
    sentences
}

fn costs(view: &View) -> String {
    let costs = &view.costs;
    format!(
        "{} {} steps, {} of work in {}; {:.1} % overhead",
        title("Cost"),
        costs.steps,
        duration(costs.trial_seconds),
        duration(costs.wall_seconds),
        costs.overhead() * 100.0
    )
}

/// `62 % ± 5`.
pub(super) fn percent(share: f64, deviation: f64) -> String {
    format!("{:.0} % ± {}", share * 100.0, number((deviation * 100.0).round()))
}

fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

fn short(text: &str) -> String {
    console::truncate_str(&one_line(text), WIDEST, "…").into_owned()
}
