//! What draws: bars, histograms, boxes, a curve. Elements sized by percentages that any width and any printer can show.

use gyeol_data::profile::{Histogram, Summary};
use maud::{Markup, html};

use super::rows;

/// A horizontal bar: what, how much in words, how long in `[0, 1]`.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) share: f64,
}

/// Bars one below the other.
pub(super) fn bars(bars: &[Bar]) -> Markup {
    html! {
        div.bars {
            @for bar in bars {
                div.name { bdi { (bar.name) } }
                div.track { i style=(width(bar.share)) {} }
                div.value { (bar.value) }
            }
        }
    }
}

/// A line across a histogram.
pub(super) struct Mark {
    pub(super) at: f64,
    pub(super) text: String,
    /// Drawn as a limit rather than as a middle.
    pub(super) limit: bool,
}

/// A histogram with its axis; a mark beyond its end is left out.
pub(super) fn histogram(histogram: &Histogram, unit: &str, marks: &[Mark]) -> Markup {
    let bins = histogram.counts.len();
    let end = histogram.edge(bins);
    let most = histogram.counts.iter().max().copied().unwrap_or(0).max(1) as f64;
    let place = |value: f64| (value - histogram.start) / (end - histogram.start);
    let tip = |at: usize| {
        let (from, to) = (histogram.edge(at), histogram.edge(at + 1));
        format!("{from} to {to} {unit}: {}", rows(histogram.counts[at]))
    };
    html! {
        figure.hist {
            div.area {
                @for (at, &here) in histogram.counts.iter().enumerate() {
                    i style=(format!("height:{:.2}%", here as f64 / most * 100.0)) title=(tip(at)) {}
                }
                @for mark in marks.iter().filter(|mark| mark.at >= histogram.start && mark.at <= end) {
                    b.limit[mark.limit].middle[!mark.limit].late[place(mark.at) > 0.6]
                        style=(format!("left:{:.2}%", place(mark.at) * 100.0)) { span { (mark.text) } }
                }
            }
            div.axis {
                @for tick in ticks(histogram) {
                    span.end[place(tick) > 0.95] style=(format!("left:{:.2}%", place(tick) * 100.0)) { (tick) }
                }
            }
            figcaption {
                (unit)
                @if histogram.above > 0 { " · " (rows(histogram.above)) " beyond " (end) }
                @for mark in marks.iter().filter(|mark| mark.at > end) { " · " (mark.text) ", beyond the plot" }
            }
        }
    }
}

/// About five round values, evenly apart.
fn ticks(histogram: &Histogram) -> Vec<f64> {
    let end = histogram.edge(histogram.counts.len());
    let rough = (end - histogram.start) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|&step| step >= rough).unwrap_or(rough);
    let first = (histogram.start / step).ceil();
    // A tenth added up is no tenth; a product of whole numbers, rounded, is.
    let tick = |at: i32| ((first + f64::from(at)) * step * 1e9).round() / 1e9;
    (0..).map(tick).take_while(|&tick| tick <= end).collect()
}

/// A box from the 25th to the 75th percentile with whiskers from the 5th to the 95th, on an axis from `low` to `high`.
pub(super) fn box_plot(summary: &Summary, [low, high]: [f64; 2]) -> Markup {
    let place = |value: f64| if high > low { ((value - low) / (high - low) * 100.0).clamp(0.0, 100.0) } else { 50.0 };
    let q = summary.quantiles;
    let span = |from: f64, to: f64| format!("left:{:.2}%;width:{:.2}%", place(from), place(to) - place(from));
    let tip =
        format!("5 % {:.2} · 25 % {:.2} · median {:.2} · 75 % {:.2} · 95 % {:.2}", q.p5, q.p25, q.p50, q.p75, q.p95);
    html! {
        div.box title=(tip) {
            i.whisker style=(span(q.p5, q.p95)) {}
            i.middle style=(span(q.p25, q.p75)) {}
            i.median style=(format!("left:{:.2}%", place(q.p50))) {}
            i.mean style=(format!("left:{:.2}%", place(summary.mean))) {}
        }
    }
}

/// Shares that make a whole, side by side, each in the colour of its place.
pub(super) fn stack(shares: &[f64], names: &[String]) -> Markup {
    html! {
        div.stack {
            @for (at, (share, name)) in shares.iter().zip(names).enumerate() {
                i class=(colour(at)) style=(width(*share)) title=(format!("{name}: {}", super::percent(*share))) {}
            }
        }
    }
}

/// What the colours of [`stack`] stand for.
pub(super) fn legend(names: &[String]) -> Markup {
    html! {
        ul.legend {
            @for (at, name) in names.iter().enumerate() { li { i class=(colour(at)) {} bdi { (name) } } }
        }
    }
}

/// One of seven colours that colour-blind eyes tell apart, and then again from the first.
fn colour(at: usize) -> String {
    format!("c{}", at % 7)
}

/// A curve through points that ascend in x, both axes from the lowest to the highest value, a mark at `at`.
pub(super) fn curve(points: &[(f64, f64)], at: f64) -> Markup {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let floor = points.iter().map(|point| point.1).fold(1.0, f64::min);
    let x = |value: f64| if last.0 > first.0 { (value - first.0) / (last.0 - first.0) * 100.0 } else { 50.0 };
    let y = |value: f64| if floor < 1.0 { (1.0 - value) / (1.0 - floor) * 100.0 } else { 0.0 };
    let line: Vec<String> = points.iter().map(|point| format!("{:.2},{:.2}", x(point.0), y(point.1))).collect();
    html! {
        figure.curve {
            div.area {
                svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" {
                    polyline points=(line.join(" ")) {}
                }
                b.limit.late[x(at) > 60.0] style=(format!("left:{:.2}%", x(at))) { span { "≥ " (at) } }
                span.top { (super::percent(1.0)) }
                span.bottom { (super::percent(floor)) }
            }
            div.axis {
                span style="left:0%" { (first.0) }
                span.end style="left:100%" { (last.0) }
            }
            figcaption { "share of rows that agree, by threshold" }
        }
    }
}

/// How wide a part of its track is.
pub(super) fn width(share: f64) -> String {
    format!("width:{:.2}%", share.clamp(0.0, 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_ticks() {
        let ticks = |start, width, bins| ticks(&Histogram { start, width, counts: vec![0; bins], above: 0 });
        assert_eq!(ticks(0.0, 4.0, 36), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.0, 0.2, 25), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(ticks(-0.25, 0.05, 10), [-0.2, -0.1, 0.0, 0.1, 0.2]);
        assert_eq!(ticks(0.0, 1.0, 1), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    }
}
