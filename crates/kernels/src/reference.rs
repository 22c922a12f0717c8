//! The scalar twins of the kernels: the plainest loops that compute them, sums over many terms in double precision, on one
//! thread. Which kernels have none, the crate's documentation says.
//!
//! Tests compare the fast kernels with these; nothing here is meant to be fast.

mod first;

use crate::activation::Activation;
use crate::attention::Heads;
use crate::cosine;
use crate::dropout::Dropout;
use crate::embedding::TokenRows;
use crate::fixed::{self, LANES, output_factor, row_factor};
use crate::gemm::Matrix;
use crate::isa::Operands;
use crate::kernels::Linear;
use crate::optimiser::{AdafactorStep, AdamStep, LionStep, SgdStep};
use crate::packed::round_to_bf16;
use crate::pooling::{self, Pool};
use crate::strassen::{LEFT, PRODUCTS, RIGHT, Term};

pub(crate) use first::{attention_first, attention_first_backward};

/// C = A·B, or C += A·B.
pub(crate) fn gemm(a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32], accumulate: bool) {
    let ([m, k], n) = (a.shape(), b.shape()[1]);
    for i in 0..m {
        for j in 0..n {
            let sum: f64 = (0..k).map(|l| f64::from(a.at(i, l)) * f64::from(b.at(l, j))).sum();
            let target = &mut c[i * n + j];
            *target = if accumulate { f64::from(*target) + sum } else { sum } as f32;
        }
    }
}

/// C += x·Wᵀ in whole numbers, [`crate::fixed`], of an x in bfloat16.
pub(crate) fn gemm_fixed(shape: Linear, x: &[f32], w: &[f32], c: &mut [f32]) {
    let of_row = |row: &[f32]| {
        // Two accumulators for each lane; even places come first.
        let mut sums = [[0f32; LANES]; 2];
        for (i, &x) in row.iter().enumerate() {
            let sum = &mut sums[i / LANES % 2][i % LANES / 2 + i % 2 * (LANES / 2)];
            *sum = x.mul_add(x, *sum);
        }
        let squares = std::array::from_fn(|i| sums[0][i] + sums[1][i]);
        let largest = row.iter().fold(0f32, |largest, x| if x.is_nan() { f32::NAN } else { largest.max(x.abs()) });
        row_factor(largest, &squares, row.len())
    };
    let whole = |rows: &[f32], factor: &dyn Fn(&[f32]) -> [f32; 2]| -> Vec<(Vec<i64>, f32)> {
        let row = |row: &[f32]| {
            let [by, back] = factor(row);
            (row.iter().map(|&x| i64::from(fixed::whole(x, by))).collect(), back)
        };
        rows.chunks_exact(shape.inputs).map(row).collect()
    };
    let (x, w) = (whole(x, &of_row), whole(w, &output_factor));
    for ((x, of_row), c) in x.iter().zip(c.chunks_exact_mut(shape.outputs)) {
        for ((w, of_output), c) in w.iter().zip(c) {
            let sum: i64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            let sum = i32::try_from(sum).expect("norms are bounded so that it fits");
            *c = (sum as f32 * of_output).mul_add(*of_row, *c);
        }
    }
}

/// C += A·B of operands in bfloat16, by [`crate::strassen`].
pub(crate) fn gemm_strassen(a: Matrix<'_>, texts: &[u32], b: Matrix<'_>, c: &mut [f32]) {
    let ([m, k], n) = (a.shape(), b.shape()[1]);
    let mut row = 0;
    while row < m {
        let paired = row + 1 < m && !texts.is_empty() && !texts.contains(&(row as u32 + 1));
        let left = |[half, column]: [usize; 2], l: usize| {
            if half == 1 && !paired { 0.0 } else { a.at(row + half, column * k / 2 + l) }
        };
        for j in 0..n / 2 {
            let right = |[half, column]: [usize; 2], l: usize| b.at(half * k / 2 + l, column * n / 2 + j);
            let products: [f64; PRODUCTS] = std::array::from_fn(|i| {
                let factors =
                    |l| [term(LEFT[i], |quarter| left(quarter, l)), term(RIGHT[i], |quarter| right(quarter, l))];
                (0..k / 2).map(|l| factors(l).into_iter().map(f64::from).product::<f64>()).sum()
            });
            let [m0, m1, m2, m3, m4, m5, m6] = products;
            let sums = [[m0 + m3 - m4 + m6, m2 + m4], [m1 + m3, m0 - m1 + m2 + m5]];
            for (half, sums) in sums.iter().take(if paired { 2 } else { 1 }).enumerate() {
                for (column, &sum) in sums.iter().enumerate() {
                    let target = &mut c[(row + half) * n + column * n / 2 + j];
                    *target = (f64::from(*target) + sum) as f32;
                }
            }
        }
        row += if paired { 2 } else { 1 };
    }
}

/// A term of quarters, rounded to bfloat16.
fn term(term: Term, quarter: impl Fn([usize; 2]) -> f32) -> f32 {
    match term {
        Term::One(a) => quarter(a),
        Term::Sum(a, b) => round_to_bf16(quarter(a) + quarter(b)),
        Term::Difference(a, b) => round_to_bf16(quarter(a) - quarter(b)),
    }
}

/// Copies of both operands, rounded if the product takes them in bfloat16.
pub(crate) fn rounded(operands: Operands, values: [&[f32]; 2]) -> [Vec<f32>; 2] {
    let round = |&x: &f32| match operands {
        Operands::F32 => x,
        Operands::Bf16 => round_to_bf16(x),
    };
    values.map(|values| values.iter().map(round).collect())
}

/// f(x) in double precision.
fn activate_f64(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Gelu => 0.5 * x * erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        // Unlike `max` this keeps a NaN.
        Activation::Relu if x < 0.0 => 0.0,
        Activation::Relu => x,
        Activation::Tanh => x.tanh(),
    }
}

/// f(x).
pub(crate) fn activate(activation: Activation, x: f32) -> f32 {
    activate_f64(activation, f64::from(x)) as f32
}

/// f′(x), by a central difference (exactly for ReLU, whose slope at a NaN is 1 as in PyTorch).
fn slope(activation: Activation, x: f32) -> f32 {
    if activation == Activation::Relu {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    let (x, h) = (f64::from(x), 1e-5);
    ((activate_f64(activation, x + h) - activate_f64(activation, x - h)) / (2.0 * h)) as f32
}

/// erfc(x) to about 1e-13: its Maclaurin series near 0, Lentz's continued fraction in the tails.
fn erfc(x: f64) -> f64 {
    if x.abs() < 2.5 {
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        1.0 - std::f64::consts::FRAC_2_SQRT_PI * sum
    } else {
        let z = x.abs();
        let tail = (1..80).rev().fold(z, |f, n| z + 0.5 * n as f64 / f);
        let tail = (-z * z).exp() / (tail * std::f64::consts::PI.sqrt());
        if x > 0.0 { tail } else { 2.0 - tail }
    }
}

/// See the fast twin.
pub(crate) fn activation_backward(activation: Activation, x: &[f32], gradient: &mut [f32], out: &mut [f32]) {
    for i in 0..x.len() {
        gradient[i] *= slope(activation, x[i]);
        out[i] = activate(activation, x[i]);
    }
}

/// See the fast twin.
pub(crate) fn dropout(dropout: Dropout, x: &mut [f32]) {
    x.iter_mut().enumerate().for_each(|(i, x)| *x *= dropout.factor(i as u32));
}

/// See the fast twin.
pub(crate) fn cross_entropy(logits: &mut [f32], classes: &[u32], weight: f32, losses: &mut [f32]) {
    if classes.is_empty() {
        return;
    }
    let width = logits.len() / classes.len();
    for ((row, &class), loss) in logits.chunks_mut(width).zip(classes).zip(losses) {
        let max = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = row.iter().map(|&x| (f64::from(x) - max).exp()).sum();
        *loss = (sum.ln() + max - f64::from(row[class as usize])) as f32;
        for (i, x) in row.iter_mut().enumerate() {
            let target = if i == class as usize { 1.0 } else { 0.0 };
            *x = (f64::from(weight) * ((f64::from(*x) - max).exp() / sum - target)) as f32;
        }
    }
}

/// See the fast twin.
#[allow(clippy::too_many_arguments, reason = "the operands of the fast twin")]
pub(crate) fn add_norm(
    x: &mut [f32],
    residual: Option<&[f32]>,
    gamma: &[f32],
    beta: &[f32],
    eps: f32,
    dropout: Option<Dropout>,
    y: &mut [f32],
    rstd: &mut [f32],
) {
    let n = gamma.len();
    for (row, rstd) in rstd.iter_mut().enumerate() {
        let at = |i: usize| row * n + i;
        for i in 0..n {
            x[at(i)] *= dropout.map_or(1.0, |dropout| dropout.factor(at(i) as u32));
            x[at(i)] += residual.map_or(0.0, |residual| residual[at(i)]);
        }
        let mean = (0..n).map(|i| f64::from(x[at(i)])).sum::<f64>() / n as f64;
        let variance = (0..n).map(|i| (f64::from(x[at(i)]) - mean).powi(2)).sum::<f64>() / n as f64;
        let inverse = 1.0 / (variance + f64::from(eps)).sqrt();
        *rstd = inverse as f32;
        for i in 0..n {
            x[at(i)] = ((f64::from(x[at(i)]) - mean) * inverse) as f32;
            y[at(i)] = x[at(i)] * gamma[i] + beta[i];
        }
    }
}

/// See the fast twin.
#[allow(clippy::too_many_arguments, reason = "the operands of the fast twin")]
pub(crate) fn add_norm_backward(
    dy: &[f32],
    normalised: &[f32],
    rstd: &[f32],
    gamma: &[f32],
    dropout: Option<Dropout>,
    dx: &mut [f32],
    dresidual: &mut [f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) {
    let n = gamma.len();
    for i in 0..n {
        let column = || (i..dy.len()).step_by(n);
        let of_gamma: f64 = column().map(|at| f64::from(dy[at]) * f64::from(normalised[at])).sum();
        let of_beta: f64 = column().map(|at| f64::from(dy[at])).sum();
        dgamma[i] = (f64::from(dgamma[i]) + of_gamma) as f32;
        dbeta[i] = (f64::from(dbeta[i]) + of_beta) as f32;
    }
    for (row, &rstd) in rstd.iter().enumerate() {
        let at = |i: usize| row * n + i;
        let g = |i: usize| f64::from(dy[at(i)]) * f64::from(gamma[i]);
        let mean = (0..n).map(g).sum::<f64>() / n as f64;
        let along = (0..n).map(|i| g(i) * f64::from(normalised[at(i)])).sum::<f64>() / n as f64;
        for i in 0..n {
            let dz = f64::from(rstd) * (g(i) - mean - f64::from(normalised[at(i)]) * along);
            dresidual[at(i)] = dz as f32;
            dx[at(i)] = dz as f32 * dropout.map_or(1.0, |dropout| dropout.factor(at(i) as u32));
        }
    }
}

/// The probabilities of one query and head, in double precision, and the log of their sum.
fn probabilities(shape: Heads, qkv: &[f32], from: usize, length: usize, i: usize, head: usize) -> (Vec<f64>, f64) {
    let at = |token: usize, part: usize, d: usize| {
        let hidden = shape.hidden();
        f64::from(qkv[(from + token) * 3 * hidden + part * hidden + head * shape.head_dim + d])
    };
    let score =
        |j: usize| (0..shape.head_dim).map(|d| at(i, 0, d) * at(j, 1, d)).sum::<f64>() / (shape.head_dim as f64).sqrt();
    let scores: Vec<f64> = (0..length).map(score).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lse = max + scores.iter().map(|s| (s - max).exp()).sum::<f64>().ln();
    (scores.iter().map(|s| (s - lse).exp()).collect(), lse)
}

/// The dropout factor of probability (i, j) of `head`, `i` counted over the batch.
fn factor(dropout: Option<Dropout>, shape: Heads, i: usize, head: usize, j: usize) -> f64 {
    dropout.map_or(1.0, |d| f64::from(d.part((i * shape.heads + head) as u32).factor(j as u32)))
}

/// See the fast twin.
pub(crate) fn attention(
    shape: Heads,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    out: &mut [f32],
    lse: &mut [f32],
) {
    let hidden = shape.hidden();
    for pair in cu_seqlens.windows(2) {
        let (from, length) = (pair[0] as usize, (pair[1] - pair[0]) as usize);
        for (i, head) in (0..length).flat_map(|i| (0..shape.heads).map(move |head| (i, head))) {
            let (p, sum) = probabilities(shape, qkv, from, length, i, head);
            lse[(from + i) * shape.heads + head] = sum as f32;
            for d in 0..shape.head_dim {
                let column = head * shape.head_dim + d;
                let value = |j: usize| f64::from(qkv[(from + j) * 3 * hidden + 2 * hidden + column]);
                let terms = (0..length).map(|j| p[j] * factor(dropout, shape, from + i, head, j) * value(j));
                out[(from + i) * hidden + column] = terms.sum::<f64>() as f32;
            }
        }
    }
}

/// The fast twin without its saved outputs: this one differentiates the softmax directly.
pub(crate) fn attention_backward(
    shape: Heads,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    dout: &[f32],
    dqkv: &mut [f32],
) {
    let (hidden, scale) = (shape.hidden(), 1.0 / (shape.head_dim as f64).sqrt());
    let mut gradient = vec![0f64; dqkv.len()];
    for pair in cu_seqlens.windows(2) {
        let (from, length) = (pair[0] as usize, (pair[1] - pair[0]) as usize);
        for (i, head) in (0..length).flat_map(|i| (0..shape.heads).map(move |head| (i, head))) {
            let (p, _) = probabilities(shape, qkv, from, length, i, head);
            let at = |token: usize, part: usize, d: usize| {
                (from + token) * 3 * hidden + part * hidden + head * shape.head_dim + d
            };
            let upstream = |d: usize| f64::from(dout[(from + i) * hidden + head * shape.head_dim + d]);
            let keep: Vec<f64> = (0..length).map(|j| factor(dropout, shape, from + i, head, j)).collect();
            let dp: Vec<f64> = (0..length)
                .map(|j| keep[j] * (0..shape.head_dim).map(|d| upstream(d) * f64::from(qkv[at(j, 2, d)])).sum::<f64>())
                .collect();
            let mean: f64 = (0..length).map(|j| p[j] * dp[j]).sum();
            for j in 0..length {
                let ds = p[j] * (dp[j] - mean) * scale;
                for d in 0..shape.head_dim {
                    gradient[at(i, 0, d)] += ds * f64::from(qkv[at(j, 1, d)]);
                    gradient[at(j, 1, d)] += ds * f64::from(qkv[at(i, 0, d)]);
                    gradient[at(j, 2, d)] += p[j] * keep[j] * upstream(d);
                }
            }
        }
    }
    dqkv.iter_mut().zip(gradient).for_each(|(target, value)| *target = value as f32);
}

/// See the fast twin.
pub(crate) fn embed(rows: TokenRows<'_>, tables: [&[f32]; 3], width: usize, out: &mut [f32]) {
    for (t, i) in (0..rows.words.len()).flat_map(|t| (0..width).map(move |i| (t, i))) {
        let of = |table: usize, index: u32| tables[table][index as usize * width + i];
        out[t * width + i] = of(0, rows.words[t]) + of(1, rows.positions[t]) + of(2, rows.segments[t]);
    }
}

/// See the fast twin.
pub(crate) fn embed_backward(rows: TokenRows<'_>, dout: &[f32], width: usize, gradients: [&mut [f32]; 3]) {
    for (indices, table) in [rows.words, rows.positions, rows.segments].into_iter().zip(gradients) {
        let mut sums: Vec<f64> = table.iter().map(|&x| f64::from(x)).collect();
        for (t, &index) in indices.iter().enumerate() {
            for i in 0..width {
                sums[index as usize * width + i] += f64::from(dout[t * width + i]);
            }
        }
        table.iter_mut().zip(sums).for_each(|(target, sum)| *target = sum as f32);
    }
}

/// The place of the largest value: of equal ones the first, and before all others that of the first NaN.
fn place_of_largest(x: &[f32], places: impl Iterator<Item = usize>) -> usize {
    let above = |at: usize, best: usize| x[at] > x[best] || (x[at].is_nan() && !x[best].is_nan());
    places.reduce(|best, at| if above(at, best) { at } else { best }).expect("a sequence has a token")
}

/// See the fast twin.
pub(crate) fn pool(pool: Pool, x: &[f32], cu_seqlens: &[u32], width: usize, out: &mut [f32]) {
    pooling::check(x, cu_seqlens, width, out);
    for (pair, out) in cu_seqlens.windows(2).zip(out.chunks_exact_mut(width)) {
        for (column, out) in out.iter_mut().enumerate() {
            let places = (pair[0]..pair[1]).map(|token| token as usize * width + column);
            *out = match pool {
                Pool::Mean => (places.map(|at| f64::from(x[at])).sum::<f64>() / f64::from(pair[1] - pair[0])) as f32,
                Pool::Max => x[place_of_largest(x, places)],
            };
        }
    }
}

/// See the fast twin.
pub(crate) fn pool_backward(pool: Pool, x: &[f32], cu_seqlens: &[u32], dout: &[f32], width: usize, dx: &mut [f32]) {
    pooling::check(x, cu_seqlens, width, dout);
    assert_eq!(dx.len(), x.len(), "a gradient as large as its value");
    dx.fill(0.0);
    for (pair, dout) in cu_seqlens.windows(2).zip(dout.chunks_exact(width)) {
        for (column, dout) in dout.iter().enumerate() {
            let places = (pair[0]..pair[1]).map(|token| token as usize * width + column);
            match pool {
                Pool::Mean => places.for_each(|at| dx[at] = dout / (pair[1] - pair[0]) as f32),
                Pool::Max => dx[place_of_largest(x, places)] = *dout,
            }
        }
    }
}

/// The length of a row.
fn norm(x: &[f32]) -> f64 {
    sum_of_squares(x).sqrt()
}

/// See the fast twin.
pub(crate) fn cosine(x: &[f32], width: usize, out: &mut [f32]) {
    cosine::check(x, width, out);
    for (x, out) in x.chunks_exact(2 * width).zip(out) {
        let (u, v) = x.split_at(width);
        let product: f64 = u.iter().zip(v).map(|(u, v)| f64::from(*u) * f64::from(*v)).sum();
        *out = (product / (norm(u).max(cosine::EPS) * norm(v).max(cosine::EPS))) as f32;
    }
}

/// See the fast twin.
pub(crate) fn cosine_backward(x: &[f32], width: usize, dout: &[f32], dx: &mut [f32]) {
    assert_eq!(dx.len(), x.len(), "a gradient as large as its value");
    let mut cosines = vec![0.0; dout.len()];
    cosine(x, width, &mut cosines);
    for (i, (cosine, dout)) in cosines.iter().zip(dout).enumerate() {
        let (u, v) = x[2 * i * width..2 * (i + 1) * width].split_at(width);
        let (du, dv) = dx[2 * i * width..2 * (i + 1) * width].split_at_mut(width);
        for (a, b, da) in [(u, v, du), (v, u, dv)] {
            let (a_norm, b_norm) = (norm(a), norm(b).max(cosine::EPS));
            for ((a, b), da) in a.iter().zip(b).zip(da) {
                let direction = if a_norm > 0.0 { f64::from(*a) / a_norm } else { 0.0 };
                let turn = f64::from(*b) / b_norm - f64::from(*cosine) * direction;
                *da = (f64::from(*dout) * turn / a_norm.max(cosine::EPS)) as f32;
            }
        }
    }
}

/// See the fast twin.
pub(crate) fn add_column_sums(x: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    for (j, sum) in sums.iter_mut().enumerate() {
        let column: f64 = x.chunks_exact(width).map(|row| f64::from(row[j])).sum();
        *sum = (f64::from(*sum) + column) as f32;
    }
}

/// See the fast twin.
pub(crate) fn adamw(step: AdamStep, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    let (correction1, correction2) = step.bias_corrections();
    for i in 0..w.len() {
        let g = f64::from(g[i]) * step.gradient_scale;
        let first = step.beta1 * f64::from(m[i]) + (1.0 - step.beta1) * g;
        let second = step.beta2 * f64::from(v[i]) + (1.0 - step.beta2) * g * g;
        let update = (first / correction1) / ((second / correction2).sqrt() + step.eps);
        let decayed = f64::from(w[i]) * (1.0 - step.learning_rate * step.weight_decay);
        (w[i], m[i], v[i]) = ((decayed - step.learning_rate * update) as f32, first as f32, second as f32);
    }
}

/// See the fast twin.
pub(crate) fn sgd(step: SgdStep, w: &mut [f32], g: &[f32], m: &mut [f32]) {
    for i in 0..w.len() {
        let g = f64::from(g[i]) * step.gradient_scale + step.weight_decay * f64::from(w[i]);
        let momentum = step.momentum * f64::from(m[i]) + g;
        (w[i], m[i]) = ((f64::from(w[i]) - step.learning_rate * momentum) as f32, momentum as f32);
    }
}

/// See the fast twin.
pub(crate) fn lion(step: LionStep, w: &mut [f32], g: &[f32], m: &mut [f32]) {
    for i in 0..w.len() {
        let (g, moment) = (f64::from(g[i]) * step.gradient_scale, f64::from(m[i]));
        let direction = step.beta1 * moment + (1.0 - step.beta1) * g;
        let sign = if direction == 0.0 { 0.0 } else { direction.signum() };
        let decayed = f64::from(w[i]) * (1.0 - step.learning_rate * step.weight_decay);
        w[i] = (decayed - step.learning_rate * sign) as f32;
        m[i] = (step.beta2 * moment + (1.0 - step.beta2) * g) as f32;
    }
}

/// See the fast twin.
pub(crate) fn adafactor_matrix(
    step: AdafactorStep,
    w: &mut [f32],
    g: &[f32],
    row_means: &mut [f32],
    column_means: &mut [f32],
) {
    let (rows, columns, beta2) = (row_means.len(), column_means.len(), step.beta2());
    let gradient = |i: usize, j: usize| f64::from(g[i * columns + j]) * step.gradient_scale;
    let square = |i: usize, j: usize| gradient(i, j).powi(2) + step.eps;
    for (i, mean) in row_means.iter_mut().enumerate() {
        let now = (0..columns).map(|j| square(i, j)).sum::<f64>() / columns as f64;
        *mean = (beta2 * f64::from(*mean) + (1.0 - beta2) * now) as f32;
    }
    for (j, mean) in column_means.iter_mut().enumerate() {
        let now = (0..rows).map(|i| square(i, j)).sum::<f64>() / rows as f64;
        *mean = (beta2 * f64::from(*mean) + (1.0 - beta2) * now) as f32;
    }
    let all = row_means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / rows as f64;
    let update =
        |i: usize, j: usize| gradient(i, j) / (f64::from(row_means[i]) / all * f64::from(column_means[j])).sqrt();
    let places = || (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j)));
    let rate = step.rate(places().map(|(i, j)| update(i, j).powi(2)).sum(), w.len());
    for (i, j) in places() {
        let w = &mut w[i * columns + j];
        *w = (f64::from(*w) * step.keep() - rate * update(i, j)) as f32;
    }
}

/// See the fast twin.
pub(crate) fn adafactor(step: AdafactorStep, w: &mut [f32], g: &[f32], v: &mut [f32]) {
    let beta2 = step.beta2();
    let gradient = |i: usize| f64::from(g[i]) * step.gradient_scale;
    for (i, v) in v.iter_mut().enumerate() {
        *v = (beta2 * f64::from(*v) + (1.0 - beta2) * (gradient(i).powi(2) + step.eps)) as f32;
    }
    let update = |i: usize| gradient(i) / f64::from(v[i]).sqrt();
    let rate = step.rate((0..w.len()).map(|i| update(i).powi(2)).sum(), w.len());
    for (i, w) in w.iter_mut().enumerate() {
        *w = (f64::from(*w) * step.keep() - rate * update(i)) as f32;
    }
}

/// See the fast twin.
pub(crate) fn sum_of_squares(x: &[f32]) -> f64 {
    x.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}
