//! Attention of first tokens: the same sums as its fast twin's, one head of one sequence after the other.

use super::{factor, sum_of_squares};
use crate::attention::{FirstAttention, Projection};
use crate::kernels::LinearGradient;

/// One head's attention of one sequence's first token, in double precision.
struct Head {
    /// The query, `[head_dim]`.
    query: Vec<f64>,
    /// The query in terms of the input, `[hidden]`.
    keyed: Vec<f64>,
    /// Of each token, before dropout.
    probabilities: Vec<f64>,
    /// Of each token: what dropout multiplies its probability by.
    factors: Vec<f64>,
    /// The sum of the input's rows, weighted by dropped probabilities, `[hidden]`.
    weighed: Vec<f64>,
}

fn dot(a: impl IntoIterator<Item = f64>, b: &[f64]) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum of the rows of `x`, weighted.
fn sum_rows(weights: &[f64], x: &[f32], width: usize) -> Vec<f64> {
    (0..width).map(|i| dot(x[i..].iter().step_by(width).map(|&x| f64::from(x)), weights)).collect()
}

fn row(x: &[f32]) -> impl Iterator<Item = f64> {
    x.iter().map(|&x| f64::from(x))
}

impl FirstAttention<'_> {
    /// Row `d` of one head's weight.
    fn weight_row(&self, part: Projection, head: usize, d: usize) -> Vec<f64> {
        let (weight, row) = (self.part(part), head * self.shape.head_dim + d);
        (0..self.shape.hidden()).map(|i| f64::from(weight.at(row, i))).collect()
    }

    /// The input of a sequence.
    fn input(&self, sequence: usize) -> &[f32] {
        let width = self.shape.hidden();
        &self.x[self.cu_seqlens[sequence] as usize * width..self.cu_seqlens[sequence + 1] as usize * width]
    }

    fn attend(&self, sequence: usize, head: usize) -> Head {
        let (width, head_dim) = (self.shape.hidden(), self.shape.head_dim);
        let x = self.input(sequence);
        let bias = &self.bias(Projection::Query)[head * head_dim..];
        let query: Vec<f64> = (0..head_dim)
            .map(|d| f64::from(bias[d]) + dot(row(&x[..width]), &self.weight_row(Projection::Query, head, d)))
            .collect();
        let mut keyed = vec![0.0; width];
        for (d, q) in query.iter().enumerate() {
            keyed.iter_mut().zip(self.weight_row(Projection::Key, head, d)).for_each(|(u, k)| *u += q * k);
        }
        let scale = 1.0 / (head_dim as f64).sqrt();
        let scores: Vec<f64> = x.chunks_exact(width).map(|x| scale * dot(row(x), &keyed)).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - max).exp()).sum();
        let probabilities: Vec<f64> = scores.iter().map(|score| (score - max).exp() / sum).collect();
        let token = self.cu_seqlens[sequence] as usize;
        let factors: Vec<f64> = (0..scores.len()).map(|j| factor(self.dropout, self.shape, token, head, j)).collect();
        let dropped: Vec<f64> = probabilities.iter().zip(&factors).map(|(p, factor)| p * factor).collect();
        let weighed = sum_rows(&dropped, x, width);
        Head { query, keyed, probabilities, factors, weighed }
    }
}

/// See the fast twin.
pub(crate) fn attention_first(layer: FirstAttention<'_>, out: &mut [f32]) {
    let (width, head_dim) = (layer.shape.hidden(), layer.shape.head_dim);
    for (sequence, out) in out.chunks_exact_mut(width).enumerate() {
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            let attended = layer.attend(sequence, head);
            let kept = dot(attended.probabilities, &attended.factors);
            for (d, out) in out.iter_mut().enumerate() {
                let bias = f64::from(layer.bias(Projection::Value)[head * head_dim + d]);
                *out = (dot(layer.weight_row(Projection::Value, head, d), &attended.weighed) + kept * bias) as f32;
            }
        }
    }
}

/// The fast twin without what its forward pass kept.
pub(crate) fn attention_first_backward(
    layer: FirstAttention<'_>,
    dout: &[f32],
    mut dx: Option<&mut [f32]>,
    gradient: LinearGradient<'_>,
) -> f64 {
    let (width, head_dim, sequences) = (layer.shape.hidden(), layer.shape.head_dim, layer.sequences());
    let (scale, values) = (1.0 / (head_dim as f64).sqrt(), layer.bias(Projection::Value));
    let mut dweight = vec![0f64; layer.weight.len()];
    let mut dbias = vec![0f64; layer.bias.len()];
    for (sequence, head) in (0..sequences).flat_map(|s| (0..layer.shape.heads).map(move |head| (s, head))) {
        let x = layer.input(sequence);
        let Head { query, keyed, probabilities, factors, weighed } = layer.attend(sequence, head);
        let dcontext: Vec<f64> = row(&dout[sequence * width + head * head_dim..][..head_dim]).collect();
        let kept = dot(probabilities.iter().copied(), &factors);
        let mut dweighed = vec![0.0; width];
        for (d, dcontext) in dcontext.iter().enumerate() {
            let value = layer.weight_row(Projection::Value, head, d);
            dweighed.iter_mut().zip(value).for_each(|(dz, value)| *dz += dcontext * value);
        }
        let of_bias = dot(row(&values[head * head_dim..][..head_dim]), &dcontext);
        let dp: Vec<f64> = x
            .chunks_exact(width)
            .zip(&factors)
            .map(|(x, factor)| factor * (dot(row(x), &dweighed) + of_bias))
            .collect();
        let mean = dot(probabilities.iter().copied(), &dp);
        let ds: Vec<f64> = probabilities.iter().zip(&dp).map(|(p, dp)| scale * p * (dp - mean)).collect();
        let dkeyed = sum_rows(&ds, x, width);
        let mut dinput = vec![0f64; x.len()];
        for (j, dinput) in dinput.chunks_exact_mut(width).enumerate() {
            let dropped = probabilities[j] * factors[j];
            for (i, dinput) in dinput.iter_mut().enumerate() {
                *dinput += dropped * dweighed[i] + ds[j] * keyed[i];
            }
        }
        for d in 0..head_dim {
            let row_of = |part: Projection| part as usize * width + head * head_dim + d;
            let dquery = dot(layer.weight_row(Projection::Key, head, d), &dkeyed);
            dbias[row_of(Projection::Query)] += dquery;
            dbias[row_of(Projection::Value)] += kept * dcontext[d];
            let query_weight = layer.weight_row(Projection::Query, head, d);
            for i in 0..width {
                dweight[row_of(Projection::Query) * width + i] += dquery * f64::from(x[i]);
                dweight[row_of(Projection::Key) * width + i] += query[d] * dkeyed[i];
                dweight[row_of(Projection::Value) * width + i] += dcontext[d] * weighed[i];
                dinput[i] += dquery * query_weight[i];
            }
        }
        if let Some(dx) = &mut dx {
            let dx = &mut dx[layer.cu_seqlens[sequence] as usize * width..][..x.len()];
            dx.iter_mut().zip(dinput).for_each(|(dx, add)| *dx = (f64::from(*dx) + add) as f32);
        }
    }
    for (target, value) in gradient.weight.iter_mut().zip(dweight) {
        *target = if gradient.accumulate { (f64::from(*target) + value) as f32 } else { value as f32 };
    }
    gradient.bias.iter_mut().zip(dbias).for_each(|(target, value)| *target = (f64::from(*target) + value) as f32);
    sum_of_squares(gradient.weight)
}
