//! The report as one HTML page that needs nothing from elsewhere, so it works offline and in a mail.
//!
//! `sections` holds what is there without a script: figures, importance, settings, the table of trials. `data` is what the
//! charts are drawn from, a JSON document inside the page; the scripts draw them as SVG at the width there is. A charting
//! library would add megabytes and bring themes of its own. Texts reach the page escaped, cut, and without control or
//! direction characters (`gyeol_data::profile::excerpt`).

mod data;
mod sections;

use gyeol_data::profile::excerpt;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::view::{View, state};

/// The look of all pages, then what only this one has.
const STYLES: [&str; 2] = [include_str!("../../../profile/page/style.css"), include_str!("style.css")];
/// One module, in this order.
const SCRIPTS: [&str; 6] = [
    include_str!("script/base.js"),
    include_str!("script/scales.js"),
    include_str!("script/parallel.js"),
    include_str!("script/plots.js"),
    include_str!("script/table.js"),
    include_str!("script/main.js"),
];

/// The whole page, a complete HTML document.
pub(crate) fn page(view: &View) -> String {
    let name = excerpt(&view.name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Sweep " (name) }
                @for style in STYLES { style { (PreEscaped(style)) } }
            }
            body {
                header {
                    p.brand { "gyeol sweep" }
                    h1 { bdi { (name) } }
                    p.path { bdi { (excerpt(&view.metric)) } ", " (view.direction()) }
                    (sections::tiles(view))
                }
                main {
                    (sections::winner(view))
                    @if !view.rows.is_empty() { (charts(view)) }
                    (sections::importance(view))
                    @if !view.rows.is_empty() && !view.parameters.is_empty() { (slices()) }
                    (sections::trials(view))
                    (sections::settings(view))
                }
                footer { "Made by gyeol." }
                div #tip role="status" hidden {}
                script #data type="application/json" { (PreEscaped(data::json(view))) }
                script type="module" { @for script in SCRIPTS { (PreEscaped(script)) } }
            }
        }
    };
    page.into_string()
}

/// History, parallel coordinates and learning curves; empty until the script fills them.
fn charts(view: &View) -> Markup {
    html! {
        section {
            h2 { "History" }
            p.lead { "Every trial's score, and the best so far as a line." }
            div.bar {
                (legend(view))
                div.choice #history-axis role="group" aria-label="Horizontal axis" {
                    button type="button" value="number" aria-pressed="true" { "by trial" }
                    button type="button" value="ended" aria-pressed="false" { "by time" }
                }
            }
            figure.chart { svg #history role="img" aria-label="Score by trial" {} }
            p.more #history-note {}
        }
        @if !view.parameters.is_empty() {
            section {
                h2 { "Parameters and score" }
                p.lead {
                    "A line is a trial; the stronger its colour, the better its score. Drag along an axis to keep the trials that "
                    "pass there, everywhere on this page; click the axis to let go."
                }
                div.scroll { svg #parallel role="img" aria-label="Parallel coordinates of parameters and score" {} }
                p.more #selection aria-live="polite" {}
            }
        }
        section {
            h2 { "Learning curves" }
            p.lead { "The metric at each evaluation, in the colour of what became of the trial." }
            (legend(view))
            figure.chart { svg #curves role="img" aria-label="Metric by epoch" {} }
            p.more #curves-note {}
        }
    }
}

fn slices() -> Markup {
    html! {
        section {
            h2 { "Slices" }
            p.lead { "Score over each parameter, the most important first. Trials without the parameter are not in its plot." }
            div.slices #slices {}
        }
    }
}

/// What the colours of states stand for.
fn legend(view: &View) -> Markup {
    html! {
        ul.legend.states {
            @for (kind, trials) in view.states() { li { i class=(state(kind)) {} (state(kind)) " " small { (trials) } } }
        }
    }
}
