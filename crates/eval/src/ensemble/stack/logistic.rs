//! Logistic regression on the members' logits: multinomial for classes that exclude each other, binary for each independent label.
//!
//! The loss is convex and smooth and has a few hundred weights at most, which L-BFGS finds in some tens of passes over the rows. A Newton
//! step would take fewer, but each of them a Hessian, which costs as much as a hundred gradients with twenty members and ten classes.

use std::cell::RefCell;

use argmin::{
    core::{CostFunction, Error, Executor, Gradient, State},
    solver::{linesearch::MoreThuenteLineSearch, quasinewton::LBFGS},
};
use rayon::prelude::*;

use super::{PENALTIES, Parts, Stack};
use crate::{
    Truth,
    ensemble::{
        Aligned,
        logits::{logits, softmax},
    },
};

/// Steps and gradients that the approximation of the Hessian is made of.
const MEMORY: usize = 10;

/// The fit ends where the gradient of the mean loss is shorter than this: then scores no longer change in any digit that is told.
const GRADIENT: f64 = 1e-7;

/// The most steps of a fit. The loss of a class that no row has falls for ever, and by less and less.
const STEPS: u64 = 300;

/// Rows whose sums are made by one task. It does not depend on the number of threads, so neither do the sums.
const CHUNK: usize = 2048;

/// Chooses the penalty and fits with it. The truth is not of scores.
pub(super) fn fit(members: &Aligned, truth: Truth<'_>, parts: &Parts) -> Stack {
    let data = Data::new(members, truth, &parts.rows);
    let rows = parts.rows.len();
    let losses: Vec<Vec<f64>> = (0..parts.count())
        .into_par_iter()
        .map(|part| {
            let held = parts.held_out(part);
            let training = [0..held.start, held.end..rows];
            // From strong to weak, each from where the last one ended.
            let mut weights = data.start();
            let loss = |&penalty: &f64| {
                weights = minimise(&data, &training, data.toward(), penalty, std::mem::take(&mut weights));
                data.sums(std::slice::from_ref(&held), &weights).0
            };
            PENALTIES.iter().map(loss).collect()
        })
        .collect();
    let chosen = Parts::choose(&losses);
    let weights = PENALTIES[..=chosen].iter().fold(data.start(), |weights, &penalty| {
        minimise(&data, std::slice::from_ref(&(0..rows)), data.toward(), penalty, weights)
    });
    data.stack(PENALTIES[chosen], &weights)
}

type Rows = std::ops::Range<usize>;

/// The rows, ready for passes over them.
struct Data {
    members: usize,
    width: usize,
    /// Row-major `[rows, width, members]` logits.
    inputs: Vec<f32>,
    /// Row-major `[rows, width]`: which outputs are true.
    truth: Vec<bool>,
    /// Whether outputs are labels of which a row has any number.
    independent: bool,
}

impl Data {
    /// The given rows of `members`, in the given order.
    fn new(members: &Aligned, truth: Truth<'_>, rows: &[usize]) -> Self {
        let (count, width) = (members.members().len(), members.width());
        let mut inputs = vec![0f32; rows.len() * width * count];
        for (member, values) in members.all().iter().enumerate() {
            let logits = logits(values, members.task(), width);
            for (to, &row) in inputs.chunks_exact_mut(width * count).zip(rows) {
                for (to, &logit) in to[member..].iter_mut().step_by(count).zip(&logits[row * width..(row + 1) * width])
                {
                    *to = logit as f32;
                }
            }
        }
        let is_true = |row: usize, class: u32| match truth {
            Truth::Classes(classes) => classes[row] == class,
            Truth::Sets(sets) => sets.row(row).contains(&class),
            Truth::Scores(_) => false,
        };
        let truth = rows.iter().flat_map(|&row| (0..width as u32).map(move |class| is_true(row, class))).collect();
        Self { members: count, width, inputs, truth, independent: members.task() == gyeol_data::Task::MultiLabel }
    }

    /// What the penalty draws weights towards.
    fn toward(&self) -> f64 {
        1.0 / self.members as f64
    }

    /// Weights `[width, members]` that are all equal, then intercepts `[width]` of 0.
    fn start(&self) -> Vec<f64> {
        let mut weights = vec![self.toward(); self.width * self.members];
        weights.resize(self.width * (self.members + 1), 0.0);
        weights
    }

    /// The sum over `rows` of the log loss, and its gradient.
    fn sums(&self, rows: &[Rows], weights: &[f64]) -> (f64, Vec<f64>) {
        let chunks =
            |rows: &Rows| rows.clone().step_by(CHUNK).map(|start| start..rows.end.min(start + CHUNK)).collect();
        let chunks: Vec<Vec<Rows>> = rows.iter().map(chunks).collect();
        let parts: Vec<(f64, Vec<f64>)> =
            chunks.into_par_iter().flatten().map(|rows| self.chunk_sums(rows, weights)).collect();
        parts.into_iter().fold((0.0, vec![0.0; weights.len()]), |(loss, mut gradient), (more, part)| {
            gradient.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            (loss + more, gradient)
        })
    }

    fn chunk_sums(&self, rows: Rows, weights: &[f64]) -> (f64, Vec<f64>) {
        let (count, width) = (self.members, self.width);
        let (weights, intercepts) = weights.split_at(width * count);
        let (mut loss, mut gradient) = (0.0, vec![0.0; width * (count + 1)]);
        let (by_weight, by_intercept) = gradient.split_at_mut(width * count);
        let mut outputs = vec![0.0; width];
        let inputs = self.inputs[rows.start * width * count..rows.end * width * count].chunks_exact(width * count);
        for (inputs, truth) in inputs.zip(self.truth[rows.start * width..rows.end * width].chunks_exact(width)) {
            let of_class = inputs.chunks_exact(count).zip(weights.chunks_exact(count));
            for ((output, intercept), (inputs, weights)) in outputs.iter_mut().zip(intercepts).zip(of_class) {
                *output = intercept + inputs.iter().zip(weights).map(|(&input, w)| f64::from(input) * w).sum::<f64>();
            }
            // From here on the outputs are what the loss has for gradient by them.
            loss += if self.independent { binary_rows(&mut outputs, truth) } else { softmax_row(&mut outputs, truth) };
            for ((&slope, sum), (sums, inputs)) in outputs
                .iter()
                .zip(by_intercept.iter_mut())
                .zip(by_weight.chunks_exact_mut(count).zip(inputs.chunks_exact(count)))
            {
                *sum += slope;
                sums.iter_mut().zip(inputs).for_each(|(sum, &input)| *sum += slope * f64::from(input));
            }
        }
        (loss, gradient)
    }

    /// As a stack: weights by member, and intercepts, which softmax knows up to a constant, about 0.
    fn stack(&self, penalty: f64, weights: &[f64]) -> Stack {
        let (weights, intercepts) = weights.split_at(self.width * self.members);
        let middle = if self.independent { 0.0 } else { intercepts.iter().sum::<f64>() / self.width as f64 };
        let of_member = |member: usize| weights.iter().skip(member).step_by(self.members).copied().collect();
        Stack {
            penalty,
            weights: (0..self.members).map(of_member).collect(),
            intercepts: intercepts.iter().map(|intercept| intercept - middle).collect(),
        }
    }
}

/// The loss −log softmax(outputs)\[true\]; the outputs become its gradient.
fn softmax_row(outputs: &mut [f64], truth: &[bool]) -> f64 {
    let right: f64 = outputs.iter().zip(truth).filter(|(_, is)| **is).map(|(output, _)| output).sum();
    let log_sum = softmax(outputs);
    outputs.iter_mut().zip(truth).filter(|(_, is)| **is).for_each(|(output, _)| *output -= 1.0);
    log_sum - right
}

/// The sum of the binary losses; the outputs become its gradient. The exponent is never above 0, so that nothing overflows.
fn binary_rows(outputs: &mut [f64], truth: &[bool]) -> f64 {
    let mut loss = 0.0;
    for (output, &is) in outputs.iter_mut().zip(truth) {
        let wrong = if is { -*output } else { *output };
        let small = (-wrong.abs()).exp();
        loss += wrong.max(0.0) + small.ln_1p();
        let share = if wrong > 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
        *output = if is { -share } else { share };
    }
    loss
}

/// The weights of the smallest mean loss of `rows` plus half of `penalty` times the squared deviations from `toward`, from `start` on.
fn minimise(data: &Data, rows: &[Rows], toward: f64, penalty: f64, start: Vec<f64>) -> Vec<f64> {
    let objective = Objective { data, rows, toward, penalty, last: RefCell::default() };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY).with_tolerance_grad(GRADIENT);
    let fitted = solver.and_then(|solver| {
        Executor::new(objective, solver).configure(|state| state.param(start.clone()).max_iters(STEPS)).run()
    });
    // The one thing that can fail is a line search, from numbers that are not finite, and there are none.
    fitted.ok().and_then(|fitted| fitted.state.get_best_param().cloned()).unwrap_or(start)
}

/// The penalised loss, as the solver asks for it.
struct Objective<'a> {
    data: &'a Data,
    rows: &'a [Rows],
    toward: f64,
    penalty: f64,
    /// Where it was last asked for, with loss and gradient there: the solver asks for the one after the other.
    last: RefCell<(Vec<f64>, f64, Vec<f64>)>,
}

impl Objective<'_> {
    fn at(&self, weights: &[f64]) {
        let mut last = self.last.borrow_mut();
        if last.0 == weights {
            return;
        }
        let rows = self.rows.iter().map(Rows::len).sum::<usize>().max(1) as f64;
        let (loss, mut gradient) = self.data.sums(self.rows, weights);
        let mut loss = loss / rows;
        gradient.iter_mut().for_each(|slope| *slope /= rows);
        // Intercepts come after the weights and are free.
        let penalised = self.data.width * self.data.members;
        for (slope, weight) in gradient.iter_mut().zip(weights).take(penalised) {
            let deviation = weight - self.toward;
            loss += 0.5 * self.penalty * deviation * deviation;
            *slope += self.penalty * deviation;
        }
        *last = (weights.to_vec(), loss, gradient);
    }
}

impl CostFunction for Objective<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, weights: &Vec<f64>) -> Result<f64, Error> {
        self.at(weights);
        Ok(self.last.borrow().1)
    }
}

impl Gradient for Objective<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, weights: &Vec<f64>) -> Result<Vec<f64>, Error> {
        self.at(weights);
        Ok(self.last.borrow().2.clone())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The stack of one penalty that draws weights towards `toward`.
    pub(in super::super) fn solve(members: &Aligned, truth: Truth<'_>, toward: f64, penalty: f64) -> Stack {
        let rows: Vec<usize> = (0..members.rows()).collect();
        let data = Data::new(members, truth, &rows);
        let weights = minimise(&data, std::slice::from_ref(&(0..rows.len())), toward, penalty, data.start());
        data.stack(penalty, &weights)
    }
}
