//! Weights on the simplex, none negative and 1 together, of the best score that a search finds.
//!
//! Accuracy and F1 are step functions of the weights, without a slope to follow. So weight is moved from one member to another in
//! amounts that shrink, and where no move betters the score, one that betters the log loss (or the root mean squared error) is
//! taken, which leads across the steps. Nothing is drawn at random.

use super::{
    fit_target::{Quality, Target},
    mean::arithmetic,
    weights::normalised,
};

/// The first amount that is moved, and the last.
const AMOUNTS: [f64; 2] = [0.5, 1.0 / 2048.0];

/// How often all pairs are tried with one amount before it shrinks, at the most.
const PASSES: usize = 4;

/// How many moves are judged in climbing from one start, and again in climbing on from the best end: bounds of the work, which
/// few members do not come to. A pass over all pairs of twenty members has 380.
const MOVES: [usize; 2] = [4_000, 12_000];

/// At the most so many weights are tried before any are moved.
const LATTICE: usize = 2000;

/// The best weights found from any of `starts`, and from the best of a lattice over the simplex: weights that are multiples of one
/// fraction, as fine as [`LATTICE`] allows (for three members 1/61, for twenty 1/3). The lattice finds what climbing alone does
/// not: between the steps of an F1 lie better ones that no small move leads to.
///
/// `values` are the members' numbers.
pub(super) fn search(values: &[&[f32]], target: &Target<'_>, mut starts: Vec<Vec<f64>>) -> Vec<f64> {
    let mut points = lattice(values.len());
    let best = target.best(points.len(), |point, start, out| {
        let values: Vec<&[f32]> = values.iter().map(|values| &values[start..start + out.len()]).collect();
        out.iter_mut().zip(arithmetic(&values, &points[point])).for_each(|(out, value)| *out = value as f32);
    });
    starts.extend(best.map(|(point, _)| points.swap_remove(point)));
    let found = starts.into_iter().map(|start| climb(values, target, start, MOVES[0]));
    let best = found.reduce(|one, other| if target.better(other.1, one.1) { other } else { one });
    best.map_or_else(Vec::new, |(weights, _)| normalised(climb(values, target, weights, MOVES[1]).0))
}

/// All weights of `members` members that are multiples of `1 / parts`, `parts` being as large as [`LATTICE`] allows, but at least 1.
fn lattice(members: usize) -> Vec<Vec<f64>> {
    let mut parts = 1;
    while points(members, parts + 1) <= LATTICE && parts < LATTICE {
        parts += 1;
    }
    let mut all = Vec::with_capacity(points(members, parts));
    let mut counts = vec![0; members];
    distribute(parts, 0, &mut counts, &mut |counts| {
        all.push(counts.iter().map(|&count| count as f64 / parts as f64).collect());
    });
    all
}

/// In how many ways `parts` equal parts are distributed among `members` members, `LATTICE + 1` standing for all larger numbers.
fn points(members: usize, parts: usize) -> usize {
    // The binomial coefficient of (members − 1 + parts) over parts, which is whole after each factor.
    (1..=parts).fold(1, |ways, part| (ways * (members - 1 + part) / part).min(LATTICE + 1))
}

/// Calls `visit` with every way to distribute `parts` parts among the members from `member` on.
fn distribute(parts: usize, member: usize, counts: &mut [usize], visit: &mut impl FnMut(&[usize])) {
    if member + 1 == counts.len() {
        counts[member] = parts;
        visit(counts);
        return;
    }
    for own in 0..=parts {
        counts[member] = own;
        distribute(parts - own, member + 1, counts, visit);
    }
}

/// Weights that no move betters, from `weights` on, and how good they are; or the best so far after some `moves`.
///
/// All amounts are gone through again as long as the last time bettered something.
fn climb(values: &[&[f32]], target: &Target<'_>, mut weights: Vec<f64>, moves: usize) -> (Vec<f64>, Quality) {
    let mut sum = arithmetic(values, &weights);
    let mut best = target.quality(&single(&sum));
    let mut judged = 0;
    loop {
        let before = best;
        let mut amount = AMOUNTS[0];
        while amount >= AMOUNTS[1] {
            for _ in 0..PASSES {
                let mut moved = false;
                for from in 0..values.len() {
                    let taken = amount.min(weights[from]);
                    if taken == 0.0 {
                        continue;
                    }
                    if judged >= moves {
                        return (weights, best);
                    }
                    judged += values.len() - 1;
                    if let Some((to, quality)) = best_move(values, target, &sum, from, taken)
                        && target.better(quality, best)
                    {
                        weights[from] -= taken;
                        weights[to] += taken;
                        sum = arithmetic(values, &weights);
                        (best, moved) = (quality, true);
                    }
                }
                if !moved {
                    break;
                }
            }
            amount /= 2.0;
        }
        if !target.better(best, before) {
            return (weights, best);
        }
    }
}

/// To which other member `taken` of the weight of `from` is best moved, and how good that is. `sum` is the mean before.
fn best_move(values: &[&[f32]], target: &Target<'_>, sum: &[f64], from: usize, taken: f64) -> Option<(usize, Quality)> {
    let others: Vec<usize> = (0..values.len()).filter(|&member| member != from).collect();
    let found = target.best(others.len(), |candidate, start, out| {
        let part = start..start + out.len();
        let (gains, loses) = (&values[others[candidate]][part.clone()], &values[from][part.clone()]);
        for (((out, sum), &gains), &loses) in out.iter_mut().zip(&sum[part]).zip(gains).zip(loses) {
            *out = (sum + taken * (f64::from(gains) - f64::from(loses))) as f32;
        }
    });
    found.map(|(candidate, quality)| (others[candidate], quality))
}

/// As predictions are kept: in single precision.
pub(super) fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lattice_is_as_fine_as_it_may_be_and_has_all_weights_once() {
        for (members, parts) in [(1, 2000), (2, 1999), (3, 61), (5, 11), (20, 3), (70, 1)] {
            let lattice = lattice(members);
            assert_eq!(lattice.len(), points(members, parts), "{members} members");
            assert!(lattice.iter().all(|weights| (weights.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            let whole = |weights: &Vec<f64>| weights.iter().map(|w| (w * parts as f64).round() as usize).collect();
            let different: std::collections::BTreeSet<Vec<usize>> = lattice.iter().map(whole).collect();
            assert_eq!(different.len(), lattice.len());
        }
    }
}
