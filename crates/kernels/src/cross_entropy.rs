//! Cross-entropy of a softmax over many classes, such as a vocabulary: the loss of each row, and its gradient in place.

use rayon::prelude::*;

use crate::isa::{Isa, multiversion};
use crate::vecmath;

/// Sums run in this many lanes, so that a loop over them vectorises.
const LANES: usize = 16;

/// Lanes are collapsed in double precision after so many elements: the error of a sum then does not grow with the classes.
const BLOCK: usize = 64 * LANES;

#[inline(always)]
fn maximum(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `x = e^(x - max)`; returns their sum.
#[inline(always)]
fn exponentials(row: &mut [f32], max: f32) -> f64 {
    let mut sum = 0.0;
    for block in row.chunks_mut(BLOCK) {
        let (chunks, rest) = block.as_chunks_mut::<LANES>();
        let mut lanes = [0.0; LANES];
        for chunk in chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *x = vecmath::exp(*x - max);
                *lane += *x;
            }
        }
        for x in &mut *rest {
            *x = vecmath::exp(*x - max);
        }
        sum += lanes.iter().chain(&*rest).map(|&x| f64::from(x)).sum::<f64>();
    }
    sum
}

multiversion! {
    fn cross_entropy_row(row: &mut [f32], class: u32, weight: f32, loss: &mut f32) {
        let max = maximum(row);
        let target = row[class as usize] - max;
        let sum = exponentials(row, max);
        *loss = (sum.ln() - f64::from(target)) as f32;
        let scale = (f64::from(weight) / sum) as f32;
        for x in &mut *row {
            *x *= scale;
        }
        row[class as usize] -= weight;
    }
}

/// `losses[i] = -log softmax(logits[i])[classes[i]]`, and `logits`, `[rows, classes]`, become the gradient of
/// `weight · Σ losses`.
///
/// # Panics
/// If there are not as many rows as losses, or a class is not a column.
pub(crate) fn cross_entropy(isa: Isa, logits: &mut [f32], classes: &[u32], weight: f32, losses: &mut [f32]) {
    assert_eq!(classes.len(), losses.len(), "one class and one loss a row");
    if classes.is_empty() {
        return;
    }
    assert!(logits.len().is_multiple_of(classes.len()), "as many logits in every row");
    let width = logits.len() / classes.len();
    let rows = logits.par_chunks_mut(width).zip(classes).zip(losses);
    rows.for_each(|((row, &class), loss)| cross_entropy_row(isa, row, class, weight, loss));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};

    proptest! {
        #[test]
        fn every_isa_agrees_with_the_scalar_twin(rows in 1usize..5, width in 1usize..2500, seed in 0u64..1000) {
            let logits: Vec<f32> = random(seed, rows * width).iter().map(|x| 30.0 * x).collect();
            let classes: Vec<u32> = (0..rows).map(|i| ((i * 977 + seed as usize) % width) as u32).collect();
            let (mut want, mut want_losses) = (logits.clone(), vec![0.0; rows]);
            reference::cross_entropy(&mut want, &classes, 0.25, &mut want_losses);
            for isa in isas() {
                let (mut got, mut losses) = (logits.clone(), vec![0.0; rows]);
                cross_entropy(isa, &mut got, &classes, 0.25, &mut losses);
                close(&got, &want, 1e-5)?;
                close(&losses, &want_losses, 1e-5)?;
            }
        }
    }

    #[test]
    fn matches_pytorch() {
        // torch.nn.functional.cross_entropy(torch.tensor([[1., 2., 3.], [-1., 0.5, 100.]]), torch.tensor([0, 2]),
        // reduction="none") and the gradient of its mean
        for isa in isas() {
            let (mut logits, mut losses) = ([1.0, 2.0, 3.0, -1.0, 0.5, 100.0], [0.0; 2]);
            cross_entropy(isa, &mut logits, &[0, 2], 0.5, &mut losses);
            assert!((losses[0] - 2.407_606).abs() < 1e-6 && losses[1].abs() < 1e-6, "{losses:?}");
            let want = [-0.454_984_7, 0.122_364_24, 0.332_620_48, 0.0, 0.0, 0.0];
            assert!(logits.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{logits:?}");
        }
    }
}
