//! Minimising a smooth function of a few variables, each within bounds: L-BFGS (Nocedal & Wright, Algorithm 7.5) on the
//! variables that are free, with a line search that projects onto the bounds.
//!
//! Of our own because the optimisers on crates.io that know L-BFGS (argmin among them) know no bounds, and likelihoods and
//! acquisition functions both need them.

use std::collections::VecDeque;

/// How many pairs of steps and changes of the gradient are remembered.
const MEMORY: usize = 8;
/// A step has to bring at least this share of the decrease that the gradient promises (Armijo's condition).
const SUFFICIENT: f64 = 1e-4;
/// A line search gives up after this many halvings.
const HALVINGS: usize = 12;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// After this many iterations.
    pub(crate) iterations: usize,
    /// When no component of the gradient that a bound does not hold back is larger.
    pub(crate) gradient: f64,
    /// When an iteration decreases the function by less.
    pub(crate) decrease: f64,
}

/// Moves `x` downhill within `bounds` and returns the function's value there, never more than at the start.
///
/// `function` writes its gradient into its second argument and returns its value, which may be infinite where it cannot be
/// computed, but not at the start.
pub(crate) fn minimize(
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
    x: &mut [f64],
    bounds: &[(f64, f64)],
    stop: Stop,
) -> f64 {
    let n = x.len();
    let mut gradient = vec![0.0; n];
    let mut value = function(x, &mut gradient);
    let mut memory: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let (mut next, mut next_gradient) = (vec![0.0; n], vec![0.0; n]);
    for _ in 0..stop.iterations {
        let held = |i: usize| (x[i] <= bounds[i].0 && gradient[i] > 0.0) || (x[i] >= bounds[i].1 && gradient[i] < 0.0);
        let free: Vec<f64> = (0..n).map(|i| if held(i) { 0.0 } else { gradient[i] }).collect();
        if free.iter().all(|component| component.abs() <= stop.gradient) {
            break;
        }
        let mut direction = descent(&free, &memory);
        // A remembered curvature may point a free variable out of bounds it cannot leave; then the gradient decides.
        (0..n).filter(|&i| held(i)).for_each(|i| direction[i] = 0.0);
        if dot(&direction, &free) >= 0.0 {
            memory.clear();
            direction = descent(&free, &memory);
        }
        let mut step = 1.0;
        let mut found = None;
        for _ in 0..HALVINGS {
            for i in 0..n {
                next[i] = (x[i] + step * direction[i]).clamp(bounds[i].0, bounds[i].1);
            }
            let promised: f64 = (0..n).map(|i| gradient[i] * (next[i] - x[i])).sum();
            let there = function(&next, &mut next_gradient);
            if there <= value + SUFFICIENT * promised && there.is_finite() {
                found = Some(there);
                break;
            }
            step *= 0.5;
        }
        let Some(there) = found else { break };
        let step: Vec<f64> = (0..n).map(|i| next[i] - x[i]).collect();
        let change: Vec<f64> = (0..n).map(|i| next_gradient[i] - gradient[i]).collect();
        let curvature = dot(&step, &change);
        if curvature > 1e-10 * dot(&change, &change) {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(Pair { step, change, curvature });
        }
        let decrease = value - there;
        x.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        value = there;
        if decrease < stop.decrease {
            break;
        }
    }
    value
}

/// A step and what it changed the gradient by.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    curvature: f64,
}

/// Minus the inverse Hessian that the memory stands for, times the gradient. Without memory: a short step down the gradient.
fn descent(gradient: &[f64], memory: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|component| -component).collect();
    let Some(last) = memory.back() else {
        let length = dot(gradient, gradient).sqrt();
        direction.iter_mut().for_each(|component| *component *= 1.0_f64.min(0.5 / length));
        return direction;
    };
    let mut weights = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let weight = dot(&pair.step, &direction) / pair.curvature;
        add(&mut direction, -weight, &pair.change);
        weights.push(weight);
    }
    let scale = last.curvature / dot(&last.change, &last.change);
    direction.iter_mut().for_each(|component| *component *= scale);
    for (pair, weight) in memory.iter().zip(weights.into_iter().rev()) {
        let correction = dot(&pair.change, &direction) / pair.curvature;
        add(&mut direction, weight - correction, &pair.step);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: Stop = Stop { iterations: 200, gradient: 1e-8, decrease: 0.0 };

    fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
        let bend = x[1] - x[0] * x[0];
        gradient[0] = -400.0 * x[0] * bend - 2.0 * (1.0 - x[0]);
        gradient[1] = 200.0 * bend;
        100.0 * bend * bend + (1.0 - x[0]).powi(2)
    }

    #[test]
    fn a_bent_valley_is_followed_to_its_lowest_point() {
        let mut x = [-1.2, 1.0];
        let value = minimize(rosenbrock, &mut x, &[(-5.0, 5.0); 2], STOP);
        assert!(value < 1e-12 && x.iter().all(|x| (x - 1.0).abs() < 1e-6), "{x:?} {value}");
    }

    #[test]
    fn where_bounds_exclude_the_lowest_point_the_lowest_within_them_is_found() {
        let mut x = [-1.2, -1.0];
        minimize(rosenbrock, &mut x, &[(-2.0, 0.5), (-2.0, 2.0)], STOP);
        assert!((x[0] - 0.5).abs() < 1e-9 && (x[1] - 0.25).abs() < 1e-6, "{x:?}");
    }
}
