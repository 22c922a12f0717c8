//! Reports of sweeps made by hand: an ordinary one, small and large ones, and one that means ill.

use gyeol_tune::{
    Assignment, Value,
    importance::{Importance, ImportanceError},
    pruners::State,
    space::{Condition, Dimension, Kind, Point, deactivate},
    study::{Goal, Origin, Reported, Trial},
};
use serde_json::json;

use super::{Confirmed, Costs, Parameter, Row, Scale, View, page, summary};

/// Low-discrepancy numbers from 0 to 1: multiples of the inverse powers of the root of x⁷ = x + 1 (generalised golden ratio).
fn spread(trial: u32, dimension: u32) -> f64 {
    (f64::from(trial) * 1.112_775_684_278_705_5_f64.powi(-(dimension as i32 + 1)) + 0.5).fract()
}

/// Six parameters, one of them there under one choice only.
fn dimensions() -> Vec<Dimension> {
    let dimension = |kind| Dimension { kind, conditions: Vec::new() };
    let mut dimensions = vec![
        dimension(Kind::Continuous),
        dimension(Kind::Ordinal { levels: 4 }),
        dimension(Kind::Continuous),
        dimension(Kind::Categorical { probabilities: vec![1.0 / 3.0; 3] }),
        dimension(Kind::Continuous),
        dimension(Kind::Categorical { probabilities: vec![0.5, 0.5] }),
    ];
    dimensions[4].conditions = vec![Condition { dimension: 5, levels: vec![1] }];
    dimensions
}

fn parameters() -> Vec<Parameter> {
    let scales = [
        ("learning_rate", Scale::Log),
        ("num_train_epochs", Scale::Levels(vec![json!(5), json!(8), json!(10), json!(12)])),
        ("weight_decay", Scale::Linear),
        ("lr_scheduler_type", Scale::Levels(vec![json!("cosine"), json!("linear"), json!("constant")])),
        ("focal_loss_gamma", Scale::Linear),
        ("손실 함수", Scale::Levels(vec![json!("교차 엔트로피"), json!("초점")])),
    ];
    scales.map(|(name, scale)| Parameter { name: name.to_owned(), scale }).into()
}

fn assignment(point: &Point, parameters: &[Parameter]) -> Assignment {
    let mut assignment = Assignment::new();
    for (parameter, coordinate) in parameters.iter().zip(point).filter(|(_, coordinate)| !coordinate.is_nan()) {
        let value = match &parameter.scale {
            Scale::Linear => json!((coordinate * 300.0).round() / 1000.0),
            Scale::Log => json!(1e-6 * 50f64.powf(*coordinate)),
            Scale::Levels(levels) => {
                levels[((coordinate * levels.len() as f64) as usize).min(levels.len() - 1)].clone()
            }
        };
        assignment.insert(parameter.name.clone(), value);
    }
    assignment
}

/// A sweep of that many trials: some stopped, some paused, every eleventh failed, the last running.
fn view(trials: u32) -> View {
    let (dimensions, parameters) = (dimensions(), parameters());
    let mut points: Vec<Point> = Vec::new();
    let rows: Vec<Row> = (1..=trials)
        .map(|number| {
            let mut point: Point = (0..6).map(|dimension| spread(number, dimension)).collect();
            deactivate(&dimensions, &mut point);
            let gamma = if point[4].is_nan() { 0.0 } else { 0.02 * point[4] };
            let final_score = 0.86 - 0.4 * (point[0] - 0.7).powi(2) + 0.03 * point[1] - gamma + 0.004 * point[2];
            let state = match number {
                _ if number == trials && trials > 6 => State::Running,
                _ if number % 11 == 3 => State::Failed,
                _ if final_score > 0.855 => State::Finished,
                _ if number % 2 == 0 => State::Paused,
                _ => State::Stopped,
            };
            let evaluations = match state {
                State::Finished => 9,
                State::Failed => 1,
                State::Running => 2,
                _ => 3,
            };
            let report = |at: u32| Reported {
                step: u64::from(at) * 100,
                epoch: f64::from(at),
                value: final_score - 0.2 * 0.6f64.powi(at as i32),
            };
            let reports: Vec<Reported> = (1..=evaluations).map(report).collect();
            let score =
                reports.last().map(|report| report.value).filter(|_| !matches!(state, State::Failed | State::Running));
            let seconds = f64::from(evaluations) * 41.5;
            let trial = Trial {
                number,
                assignment: assignment(&point, &parameters),
                origin: if number == 1 { Origin::Recipe } else { Origin::Sampler },
                state,
                planned: None,
                steps: reports.last().map_or(0, |report: &Reported| report.step),
                reports,
                score,
                seconds,
                overhead: 0.6,
                error: None,
                run: format!("nsmc-{number:03}"),
            };
            points.push(point);
            Row { ended: (state != State::Running).then(|| f64::from(number) * 190.0 + seconds), trial }
        })
        .collect();
    let scores: Vec<Option<f64>> = rows.iter().map(|row| row.trial.score).collect();
    let mut view = View {
        name: "nsmc-작은 모델".to_owned(),
        metric: "eval/accuracy".to_owned(),
        goal: Goal::Maximize,
        importance: Importance::new(&dimensions, &points, &scores, 0),
        parameters,
        costs: Costs {
            steps: rows.iter().map(|row| row.trial.reports.len() as u64 * 100).sum(),
            trial_seconds: rows.iter().map(|row| row.trial.seconds).sum(),
            overhead_seconds: 0.6 * f64::from(trials),
            wall_seconds: 190.0 * f64::from(trials),
        },
        rows,
        confirmed: Vec::new(),
        winner: None,
        settings: vec![("sampler".to_owned(), "bayes".to_owned()), ("run_cap".to_owned(), trials.to_string())],
    };
    let ranked: Vec<(u32, f64)> =
        view.ranked().iter().filter_map(|trial| Some((trial.number, trial.score?))).take(3).collect();
    view.winner = ranked.first().map(|(number, _)| *number);
    view.confirmed = ranked
        .iter()
        .map(|&(trial, score)| Confirmed { trial, scores: vec![score - 0.004, score - 0.001, score - 0.0022] })
        .collect();
    view
}

/// A sweep that has not begun.
fn empty() -> View {
    let mut view = view(0);
    view.importance = Err(ImportanceError::TooFew(0));
    view
}

/// How many elements of that name the page opens.
fn elements(page: &str, name: &str) -> usize {
    page.matches(&format!("<{name}")).count()
}

/// The document the charts are drawn from.
fn data(page: &str) -> Value {
    let (_, from) = page.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    serde_json::from_str(from.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_terminal_sees_the_best_what_mattered_and_the_cost() {
    insta::assert_snapshot!(summary(&view(40)));
}

#[test]
fn a_sweep_of_few_trials_says_what_cannot_be_known() {
    let mut few = view(5);
    few.winner = None;
    insta::assert_snapshot!("few", summary(&few));
    insta::assert_snapshot!("none", summary(&empty()));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    for view in [view(40), empty()] {
        let page = page(&view);
        for outside in ["http:", "https:", "src=", "<link", "@import", "url(", "import ", "fetch("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"));
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("작은 모델"));
    }
}

#[test]
fn every_element_that_is_opened_is_closed() {
    let page = page(&view(40));
    // Styles and scripts hold no elements.
    let markup: String =
        page.split("<style>").map(|part| part.split_once("</style>").map_or(part, |(_, rest)| rest)).collect();
    let (markup, _) = markup.split_once("<script").unwrap();
    let mut open: Vec<&str> = Vec::new();
    for tag in markup.split('<').skip(2) {
        let name = tag.split(|c: char| !(c.is_ascii_alphanumeric() || c == '/')).next().unwrap();
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if name == "meta" => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, ["html", "body"]);
}

#[test]
fn charts_get_every_trial_with_its_places_on_the_axes() {
    let mut view = view(12);
    view.rows[0].trial.assignment.insert("num_train_epochs".to_owned(), json!(3));
    let data = data(&page(&view));
    assert_eq!(data["trials"].as_array().unwrap().len(), 12);
    assert_eq!((&data["minimize"], &data["winner"]), (&json!(false), &json!(view.winner)));
    // The recipe's own value is none of the list: it stands behind it.
    assert_eq!(data["parameters"][1]["levels"], json!(["5", "8", "10", "12", "3"]));
    assert_eq!(data["trials"][0]["values"][1], json!(4.0));
    // A parameter that is not there has no place.
    let absent = view.rows.iter().position(|row| !row.trial.assignment.contains_key("focal_loss_gamma")).unwrap();
    assert_eq!(
        (&data["trials"][absent]["values"][4], &data["trials"][absent]["texts"][4]),
        (&json!(null), &json!("–"))
    );
    assert_eq!(data["trials"][2]["state"], "failed");
    assert_eq!(data["trials"][2]["score"], json!(null));
}

#[test]
fn what_cannot_be_drawn_is_null() {
    let mut view = view(5);
    view.rows[0].trial.score = Some(f64::NAN);
    view.rows[0].trial.reports[0].value = f64::INFINITY;
    view.rows[1].trial.assignment.insert("learning_rate".to_owned(), json!(0.0));
    view.rows[3].trial.assignment.insert("weight_decay".to_owned(), json!("a lot"));
    let data = data(&page(&view));
    assert_eq!((&data["trials"][0]["score"], &data["trials"][0]["curve"][0]), (&json!(null), &json!(null)));
    assert_eq!((&data["trials"][1]["values"][0], &data["trials"][3]["values"][2]), (&json!(null), &json!(null)));
}

#[test]
fn texts_cannot_break_the_page_or_steer_the_terminal() {
    let hostile = "</script></title></style><script>alert(1)</script><img src=x onerror='a'>&amp;<!-- \u{202e}gnp\u{7}\u{1b}[0m\n";
    let calm = page(&view(12));
    let mut view = view(12);
    view.name = hostile.to_owned();
    view.metric = hostile.to_owned();
    view.settings[0] = (hostile.to_owned(), hostile.to_owned());
    view.parameters[2].name = hostile.to_owned();
    view.parameters[3].scale = Scale::Levels(vec![json!(hostile), json!("ㅋ".repeat(100_000))]);
    for row in &mut view.rows {
        row.trial.run = hostile.to_owned();
        let value = row.trial.assignment.remove("weight_decay").unwrap();
        row.trial.assignment.insert(hostile.to_owned(), value);
        row.trial.assignment.insert("lr_scheduler_type".to_owned(), json!(hostile));
    }
    let page = page(&view);
    for element in ["script", "style", "title", "img", "!--"] {
        assert_eq!(elements(&page, element), elements(&calm, element), "{element}");
    }
    assert_eq!(page.matches("</script").count(), 2);
    let steering = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert_eq!(page.chars().find(|&c| steering(c)), None);
    assert!(data(&page)["metric"].as_str().unwrap().starts_with("</script></title>"));
    let plain = console::strip_ansi_codes(&summary(&view)).into_owned();
    assert_eq!(plain.chars().find(|&c| c.is_control() && c != '\n'), None);
}

#[test]
fn five_hundred_trials_stay_a_small_file() {
    let page = page(&view(500));
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert_eq!(page.matches(" data-trial=").count(), 500);
}

#[test]
fn numbers_have_four_significant_digits() {
    let numbers = [0.871_24, 3.2e-5, 0.001_5, 12_345.6, 5.0, 0.0, -0.25, 2.5e8, 999_960.0];
    let read = ["0.8712", "3.2e-5", "0.0015", "12346", "5", "0", "-0.25", "2.5e8", "1e6"];
    assert_eq!(numbers.map(super::view::number), read);
}

#[test]
fn a_spread_needs_two_seeds() {
    let confirmed = |scores: &[f64]| Confirmed { trial: 1, scores: scores.to_vec() };
    assert_eq!(confirmed(&[0.5, 0.7, 0.6]).words(), "0.6000 ± 0.1000 over 3 seeds");
    assert_eq!(confirmed(&[0.5]).words(), "0.5000 over 1 seed");
}
