//! What the page says without a script.

use gyeol_data::profile::excerpt;
use gyeol_tune::{importance::Importance, study::Origin};
use maud::{Markup, html};

use super::super::{
    summary::{percent, reservations},
    view::{Confirmed, View, number, score, state, value},
};
use crate::output::duration;

/// The figures one looks for first.
pub(super) fn tiles(view: &View) -> Markup {
    let best = view.ranked().first().and_then(|trial| score(trial));
    let mut tiles = vec![("trials", view.rows.len().to_string())];
    if let Some(best) = best {
        tiles.push(("best score", number(best)));
    }
    tiles.push(("optimiser steps", grouped(view.costs.steps)));
    tiles.push(("work of trials", duration(view.costs.trial_seconds)));
    tiles.push(("wall time", duration(view.costs.wall_seconds)));
    tiles.push(("overhead", format!("{:.1} %", view.costs.overhead() * 100.0)));
    html! {
        dl.tiles {
            @for (name, value) in tiles { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// The trial that won and its rivals over fresh seeds.
pub(super) fn winner(view: &View) -> Markup {
    let Some(winner) = view.winner else { return html! {} };
    let trial = view.rows.iter().map(|row| &row.trial).find(|trial| trial.number == winner);
    let mut confirmed: Vec<&Confirmed> = view.confirmed.iter().filter(|it| !it.scores.is_empty()).collect();
    confirmed.sort_by(|a, b| view.better_first(a.mean_and_spread().0, b.mean_and_spread().0));
    let own = confirmed.iter().find(|it| it.trial == winner);
    html! {
        section {
            h2 { "Winner: trial " (winner) }
            p.lead {
                @match own {
                    Some(own) => { strong { (own.words()) } ". A score the trials were chosen by is too good; fresh seeds are not." }
                    None => { "Not confirmed over fresh seeds: its score is the best of many, and so too good." }
                }
            }
            @if let Some(trial) = trial {
                ul.chips {
                    @for parameter in &view.parameters {
                        @if let Some(given) = trial.assignment.get(&parameter.name) {
                            li { small { bdi { (excerpt(&parameter.name)) } } " " strong { bdi { (excerpt(&value(Some(given)))) } } }
                        }
                    }
                }
            }
            @if confirmed.len() > 1 {
                h3 { "Over fresh seeds" }
                div.scroll {
                    table {
                        thead { tr { th { "trial" } th.number { "mean" } th.number { "standard deviation" } th { "scores" } } }
                        tbody {
                            @for it in confirmed {
                                @let (mean, spread) = it.mean_and_spread();
                                tr.winner[it.trial == winner] {
                                    td { (it.trial) }
                                    td.number { (number(mean)) }
                                    td.number { (spread.map_or_else(|| "–".to_owned(), number)) }
                                    td { (it.scores.iter().map(|score| number(*score)).collect::<Vec<_>>().join(" · ")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Bars of importance with correlations beside them, and the interactions.
pub(super) fn importance(view: &View) -> Markup {
    if view.parameters.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "What mattered" }
            @match &view.importance {
                Err(error) => p.lead { (capital(&error.to_string())) "." },
                Ok(importance) => (shares(view, importance)),
            }
        }
    }
}

fn shares(view: &View, importance: &Importance) -> Markup {
    let name = |index: usize| excerpt(&view.parameters[index].name);
    let order = view.by_importance();
    let rows = order.iter().filter_map(|&index| Some((index, importance.dimensions.get(index)?)));
    html! {
        p.lead {
            "The share of the score's variance over the whole space that is due to each parameter alone, and the rank correlation of "
            "the parameter with the score as measured: its sign says which way the score goes as the value grows."
        }
        div.importance {
            @for (index, dimension) in rows {
                div.name { bdi { (name(index)) } }
                (track(dimension.share, dimension.deviation))
                div.value { (percent(dimension.share, dimension.deviation)) }
                div.value.correlation { @if let Some(it) = dimension.correlation { (format!("ρ {it:+.2}")) } @else { "–" } }
            }
        }
        @if importance.interactions.iter().any(|it| it.share >= 0.005) {
            h3 { "Together, beyond what each does alone" }
            div.importance {
                @for it in importance.interactions.iter().filter(|it| it.share >= 0.005) {
                    div.name { bdi { (name(it.dimensions[0])) } " × " bdi { (name(it.dimensions[1])) } }
                    (track(it.share, it.deviation))
                    div.value { (percent(it.share, it.deviation)) }
                    div {}
                }
            }
        }
        p.more { @for sentence in reservations(importance) { (sentence) " " } }
    }
}

/// A bar with a whisker one standard deviation to either side of its end.
fn track(share: f64, deviation: f64) -> Markup {
    let place = |share: f64| share.clamp(0.0, 1.0) * 100.0;
    let (from, to) = (place(share - deviation), place(share + deviation));
    html! {
        div.track {
            i style=(format!("width:{:.2}%", place(share))) {}
            b style=(format!("left:{from:.2}%;width:{:.2}%", to - from)) {}
        }
    }
}

/// Every trial with its values; headings sort.
pub(super) fn trials(view: &View) -> Markup {
    let order = view.by_importance();
    html! {
        section {
            h2 { "Trials" }
            @if view.rows.is_empty() { p.lead { "None yet." } }
            @else {
                p.lead { "Click a heading to sort by it." }
                div.scroll.tall {
                    table #trials {
                        thead {
                            tr {
                                @for name in ["trial", "score", "state", "evaluations", "took", "from"] { (heading(name)) }
                                @for &index in &order { (heading(&excerpt(&view.parameters[index].name))) }
                                (heading("run"))
                            }
                        }
                        tbody { @for row in &view.rows { (trial_row(view, &order, &row.trial)) } }
                    }
                }
            }
        }
    }
}

fn heading(name: &str) -> Markup {
    html! { th { button type="button" { bdi { (name) } } } }
}

fn trial_row(view: &View, order: &[usize], trial: &gyeol_tune::study::Trial) -> Markup {
    let origin = match trial.origin {
        Origin::Recipe => "recipe",
        Origin::Earlier => "earlier sweep",
        Origin::Sampler => "sampler",
    };
    html! {
        tr data-trial=(trial.number) .winner[view.winner == Some(trial.number)] {
            td.number data-key=(trial.number) { (trial.number) }
            td.number data-key=[score(trial)] { (score(trial).map_or_else(|| "–".to_owned(), number)) }
            td { i class={ "dot " (state(trial.state)) } {} (state(trial.state)) }
            td.number data-key=(trial.reports.len()) { (trial.reports.len()) }
            td.number data-key=(trial.seconds) { (duration(trial.seconds)) }
            td { (origin) }
            @for &index in order {
                @let given = trial.assignment.get(&view.parameters[index].name);
                @let figure = given.and_then(gyeol_tune::Value::as_f64);
                td.number[figure.is_some()] data-key=[figure] { bdi { (excerpt(&value(given))) } }
            }
            td { bdi { (excerpt(&trial.run)) } }
        }
    }
}

/// What the sweep was told.
pub(super) fn settings(view: &View) -> Markup {
    if view.settings.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Settings" }
            div.scroll {
                table.settings {
                    tbody {
                        @for (name, value) in &view.settings {
                            tr { th scope="row" { bdi { (excerpt(name)) } } td { bdi { (excerpt(value)) } } }
                        }
                    }
                }
            }
        }
    }
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `25,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}
