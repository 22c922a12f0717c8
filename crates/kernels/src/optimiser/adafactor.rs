//! Adafactor (Shazeer & Stern 2018): of a matrix's squared gradients it keeps the means of rows and columns alone, and an
//! update is no larger than a stated root mean square. It needs the whole tensor at once.

use rayon::prelude::*;

use super::squares_part;
use crate::ELEMENTS_PER_TASK;
use crate::isa::{Isa, multiversion};

/// The scalars of one step of Adafactor without a first moment and with a learning rate of its own, as transformers'
/// `Adafactor` computes it with `relative_step=False, scale_parameter=False`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdafactorStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// The second moment's decay rate β₂ is 1 − tᵈ, and this is d.
    pub decay_rate: f64,
    /// Added to squared gradients.
    pub eps: f64,
    /// Updates are scaled down to this root mean square.
    pub clip_threshold: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Number t of this step, the first being 1.
    pub step: u64,
    /// Every gradient is multiplied by this first (clipping).
    pub gradient_scale: f64,
}

impl AdafactorStep {
    /// The second moment's decay rate in this step; 0 in the first.
    pub(crate) fn beta2(&self) -> f64 {
        1.0 - (self.step as f64).powf(self.decay_rate)
    }

    /// What the update is multiplied by, from the sum of the squares of its `len` elements: the learning rate, clipped.
    pub(crate) fn rate(&self, squares: f64, len: usize) -> f64 {
        self.learning_rate / ((squares / len as f64).sqrt() / self.clip_threshold).max(1.0)
    }

    /// What a weight is multiplied by.
    pub(crate) fn keep(&self) -> f64 {
        1.0 - self.learning_rate * self.weight_decay
    }

    /// Moves a mean of squares towards that of gradients whose unscaled squares sum to `squares` over `len`.
    fn follow(&self, mean: &mut f32, squares: f64, len: usize) {
        let beta2 = self.beta2();
        let now = squares * self.gradient_scale * self.gradient_scale / len as f64 + self.eps;
        *mean = (f64::from(*mean) * beta2 + now * (1.0 - beta2)) as f32;
    }
}

multiversion! {
    /// Adds the square of each element to the sum of its column.
    fn add_squares(row: &[f32], sums: &mut [f32]) {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += x * x;
        }
    }
}

multiversion! {
    /// Σ (x·y)².
    fn squares_of_products(x: &[f32], y: &[f32]) -> f64 {
        let mut lanes = [0f32; 16];
        let mut total = 0f64;
        for (x, y) in x.chunks(512).zip(y.chunks(512)) {
            lanes.fill(0.0);
            let ((x, x_tail), (y, y_tail)) = (x.as_chunks::<16>(), y.as_chunks::<16>());
            for (x, y) in x.iter().zip(y) {
                for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
                    let product = x * y;
                    *lane += product * product;
                }
            }
            total += x_tail.iter().zip(y_tail).map(|(x, y)| f64::from(x * y) * f64::from(x * y)).sum::<f64>();
            total += lanes.iter().map(|&x| f64::from(x)).sum::<f64>();
        }
        total
    }
}

multiversion! {
    /// `w = w·keep − g·size·factors`.
    fn apply_row(keep: f32, size: f32, factors: &[f32], w: &mut [f32], g: &[f32]) {
        for ((w, g), factor) in w.iter_mut().zip(g).zip(factors) {
            *w = *w * keep - g * size * factor;
        }
    }
}

/// One step over a matrix with rows of `columns` weights, its gradients, and the means of its squared gradients over each
/// row and over each column.
pub(crate) fn adafactor_matrix(
    isa: Isa,
    step: AdafactorStep,
    w: &mut [f32],
    g: &[f32],
    row_means: &mut [f32],
    column_means: &mut [f32],
) {
    let (rows, columns) = (row_means.len(), column_means.len());
    assert!(w.len() == g.len() && w.len() == rows * columns, "a matrix, its gradients, its rows and its columns");
    if w.is_empty() {
        return;
    }
    // Sums are cut by rows at places that the shape alone decides, and added in order.
    let block = (ELEMENTS_PER_TASK / columns).max(1);
    let sums: Vec<Vec<f32>> = g
        .par_chunks(block * columns)
        .zip(row_means.par_chunks_mut(block))
        .map(|(g, row_means)| {
            let mut sums = vec![0.0; columns];
            for (row, mean) in g.chunks_exact(columns).zip(row_means) {
                step.follow(mean, squares_part(isa, row), columns);
                add_squares(isa, row, &mut sums);
            }
            sums
        })
        .collect();
    for (column, mean) in column_means.iter_mut().enumerate() {
        step.follow(mean, sums.iter().map(|sums| f64::from(sums[column])).sum(), rows);
    }

    let mean = row_means.iter().map(|&mean| f64::from(mean)).sum::<f64>() / rows as f64;
    let row_factor = |row: f32| (f64::from(row) / mean).sqrt().recip() * step.gradient_scale;
    let column_factors: Vec<f32> = column_means.iter().map(|&column| f64::from(column).sqrt().recip() as f32).collect();
    let squares: Vec<f64> = g
        .par_chunks(columns)
        .with_min_len(block)
        .zip(&*row_means)
        .map(|(row, &mean)| row_factor(mean).powi(2) * squares_of_products(isa, row, &column_factors))
        .collect();
    let (rate, keep) = (step.rate(squares.iter().sum(), w.len()), step.keep() as f32);
    w.par_chunks_mut(columns).with_min_len(block).zip(g.par_chunks(columns)).zip(row_means).for_each(
        |((w, g), mean)| {
            let size = (rate * row_factor(*mean)) as f32;
            apply_row(isa, keep, size, &column_factors, w, g);
        },
    );
}

multiversion! {
    /// Moves the means `v` of squares towards those of `scale·g`; Σ of the squares of the updates scale·g/√v.
    fn follow_each(beta2: f32, now: f32, eps: f32, scale: f32, g: &[f32], v: &mut [f32]) -> f64 {
        let mut total = 0f64;
        for (g, v) in g.iter().zip(v) {
            let g = g * scale;
            *v = *v * beta2 + (g * g + eps) * now;
            total += f64::from(g * g / *v);
        }
        total
    }
}

multiversion! {
    /// `w = w·keep − size·g/√v`.
    fn apply_each(keep: f32, size: f32, w: &mut [f32], g: &[f32], v: &[f32]) {
        for ((w, g), v) in w.iter_mut().zip(g).zip(v) {
            *w = *w * keep - size * g / v.sqrt();
        }
    }
}

/// One step over a tensor of one dimension: weights, gradients, and the mean of each one's squares.
pub(crate) fn adafactor(isa: Isa, step: AdafactorStep, w: &mut [f32], g: &[f32], v: &mut [f32]) {
    assert!(w.len() == g.len() && w.len() == v.len(), "a gradient and a mean of squares a weight");
    let (beta2, scale) = (step.beta2(), step.gradient_scale);
    let squares: Vec<f64> = g
        .par_chunks(ELEMENTS_PER_TASK)
        .zip(v.par_chunks_mut(ELEMENTS_PER_TASK))
        .map(|(g, v)| follow_each(isa, beta2 as f32, (1.0 - beta2) as f32, step.eps as f32, scale as f32, g, v))
        .collect();
    let size = (step.rate(squares.iter().sum(), w.len()) * scale) as f32;
    w.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(g.par_chunks(ELEMENTS_PER_TASK))
        .zip(v.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|((w, g), v)| apply_each(isa, step.keep() as f32, size, w, g, v));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;
    use crate::testing::{close, isas, random};
    use proptest::prelude::*;

    const STEP: AdafactorStep = AdafactorStep {
        learning_rate: 1e-2,
        decay_rate: -0.8,
        eps: 1e-30,
        clip_threshold: 1.0,
        weight_decay: 0.1,
        step: 7,
        gradient_scale: 0.5,
    };

    /// Means of squares of gradients like those of `random`.
    fn means(seed: u64, len: usize) -> Vec<f32> {
        random(seed, len).iter().map(|x| 0.2 + 0.1 * x).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_isa_agrees_with_the_scalar_twin(
            rows in prop_oneof![Just(1usize), 2usize..300],
            columns in prop_oneof![1usize..80, 600usize..800],
            number in 1u64..9,
        ) {
            let (step, len) = (AdafactorStep { step: number, ..STEP }, rows * columns);
            let g = random(2, len);
            let start = [random(1, len), means(3, rows), means(4, columns)];
            let mut want = start.clone();
            let [w, r, c] = &mut want;
            reference::adafactor_matrix(step, w, &g, r, c);
            let mut want_vector = [random(1, len), means(5, len)];
            let start_vector = want_vector.clone();
            let [w, v] = &mut want_vector;
            reference::adafactor(step, w, &g, v);
            for isa in isas() {
                let mut got = start.clone();
                let [w, r, c] = &mut got;
                adafactor_matrix(isa, step, w, &g, r, c);
                for (got, want) in got.iter().zip(&want) {
                    close(got, want, 1e-5)?;
                }
                let mut got = start_vector.clone();
                let [w, v] = &mut got;
                adafactor(isa, step, w, &g, v);
                for (got, want) in got.iter().zip(&want_vector) {
                    close(got, want, 1e-5)?;
                }
            }
        }
    }

    #[test]
    fn rows_that_never_had_a_gradient_only_decay() {
        let (rows, columns) = (40, 20);
        for isa in isas() {
            let mut w = vec![2.0; rows * columns];
            let mut g = vec![0.0; rows * columns];
            g[5 * columns..6 * columns].copy_from_slice(&random(1, columns));
            let (mut r, mut c) = (vec![0.0; rows], vec![0.0; columns]);
            adafactor_matrix(isa, AdafactorStep { step: 1, ..STEP }, &mut w, &g, &mut r, &mut c);
            for (row, w) in w.chunks(columns).enumerate() {
                assert_eq!(w.iter().all(|&w| w == 2.0 * (1.0 - 1e-3)), row != 5, "row {row}");
                assert!(w.iter().all(|w| w.is_finite()), "row {row}");
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let (rows, columns) = (300, 130);
        let g = random(2, rows * columns);
        let run = |threads| {
            let mut state = [random(1, rows * columns), means(3, rows), means(4, columns)];
            let [w, r, c] = &mut state;
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| adafactor_matrix(Isa::fastest(), STEP, w, &g, r, c));
            state
        };
        assert!(run(1) == run(3));
    }
}
