//! AdamW over the rows of a large table of which a step touches few: an embedding of words.
//!
//! AdamW moves every weight in every step, also one whose gradient is zero: by its moments and by weight decay. A row
//! without gradient need not be moved *then*, though: nobody sees it before it is looked up again. So the steps are
//! remembered, and a row is brought to the present, by the very operations it missed, when it is next read or written.
//! What is saved is not the arithmetic but the passage of the whole table and its moments through memory.

use rayon::prelude::*;

use super::adamw::{AdamStep, Factors, adamw_part};
use super::replay::replay;
use super::squares_part;
use crate::isa::Isa;
use crate::shared::SharedMut;

/// The most steps a row stays behind: each step brings one part in so many of the table to the present. It bounds what
/// has to be remembered, and what [`LazyRows::settle`] has to do at once.
const MOST_BEHIND: usize = 32;

/// Which rows of a table `[rows, width]` have a gradient, and how far behind each is.
///
/// The weights and moments of a row are those of an eager [`AdamStep`] on all rows, bit for bit, once it has caught up
/// ([`catch_up`](Self::catch_up) the rows read by a pass, [`settle`](Self::settle) before anything reads the whole
/// table). The gradient of rows not [`touch`](Self::touch)ed must be zero.
#[derive(Debug)]
pub struct LazyRows {
    width: usize,
    /// For each row the number of steps applied, of all since the beginning.
    applied: Vec<usize>,
    /// The latest steps, the last of which is step number `applied` of a row in the present.
    history: Vec<Factors>,
    /// Steps since the beginning.
    now: usize,
    /// The rows with a gradient, ascending.
    touched: Vec<u32>,
    /// Whether a row is among them.
    is_touched: Vec<bool>,
    /// First row of the part that the next step brings to the present.
    next: usize,
}

impl LazyRows {
    /// Rows in the present, none of them with a gradient.
    pub fn new(rows: usize, width: usize) -> Self {
        Self {
            width,
            applied: vec![0; rows],
            history: Vec::new(),
            now: 0,
            touched: Vec::new(),
            is_touched: vec![false; rows],
            next: 0,
        }
    }

    /// Marks rows as having a gradient; any of them may come several times.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn touch(&mut self, ids: &[u32]) {
        for &id in ids {
            if !std::mem::replace(&mut self.is_touched[id as usize], true) {
                self.touched.push(id);
            }
        }
        self.touched.sort_unstable();
    }

    /// The rows with a gradient, ascending.
    pub fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// Sets the gradients `g` (of the whole table) to zero, by the rows that have one, and forgets these.
    pub fn zero_gradients(&mut self, g: &mut [f32]) {
        self.check(g.len());
        for &id in &self.touched {
            g[id as usize * self.width..][..self.width].fill(0.0);
            self.is_touched[id as usize] = false;
        }
        self.touched.clear();
    }

    /// Σ g² over the rows with a gradient, added row by row in ascending order.
    pub(crate) fn sum_of_squares(&self, isa: Isa, g: &[f32]) -> f64 {
        self.check(g.len());
        let row = |&id: &u32| squares_part(isa, &g[id as usize * self.width..][..self.width]);
        let rows: Vec<f64> = self.touched.par_iter().with_min_len(16).map(row).collect();
        rows.iter().sum()
    }

    /// Brings the rows `ids` (any of them several times) of the weights and moments to the present.
    ///
    /// # Panics
    /// If there is no such row, or the slices are not the whole table.
    pub(crate) fn catch_up(&mut self, isa: Isa, ids: &[u32], w: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        self.bring_to_present(isa, ids.iter().map(|&id| id as usize), w, m, v);
    }

    /// Brings all rows to the present.
    pub(crate) fn settle(&mut self, isa: Isa, w: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        self.bring_to_present(isa, 0..self.applied.len(), w, m, v);
        self.history.clear();
    }

    /// One AdamW step: on the touched rows now, with their gradients, which are zero afterwards and no longer touched;
    /// on all others when they catch up.
    pub(crate) fn step(
        &mut self,
        isa: Isa,
        step: AdamStep,
        w: &mut [f32],
        g: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        self.check(g.len());
        let (factors, width) = (step.factors(), self.width);
        let touched = std::mem::take(&mut self.touched);
        self.catch_up(isa, &touched, w, m, v);
        let table = [&mut *w, g, &mut *m, &mut *v].map(SharedMut::new);
        touched.par_iter().with_min_len(4).for_each(|&id| {
            // SAFETY: `touched` holds every row once, so that it is this task's alone.
            let [w, g, m, v] = table.map(|slice| unsafe { slice.slice(id as usize * width, width) });
            adamw_part(isa, factors, w, g, m, v);
            g.fill(0.0);
        });
        self.history.push(factors);
        self.now += 1;
        for &id in &touched {
            self.applied[id as usize] = self.now;
            self.is_touched[id as usize] = false;
        }

        let rows = self.applied.len();
        let part = self.next..rows.min(self.next + rows.div_ceil(MOST_BEHIND));
        self.next = if part.end == rows { 0 } else { part.end };
        self.bring_to_present(isa, part, w, m, v);
        self.history.drain(..self.history.len().saturating_sub(MOST_BEHIND));
    }

    fn check(&self, len: usize) {
        assert_eq!(len, self.applied.len() * self.width, "a slice of the whole table");
    }

    /// Applies to `rows` the steps each has missed.
    fn bring_to_present(
        &mut self,
        isa: Isa,
        rows: impl Iterator<Item = usize>,
        w: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
    ) {
        for slice in [&*w, &*m, &*v] {
            self.check(slice.len());
        }
        let (now, width) = (self.now, self.width);
        // A row is marked as it is listed, so none is listed twice.
        let behind: Vec<(usize, usize)> = rows
            .map(|row| (row, now - std::mem::replace(&mut self.applied[row], now)))
            .filter(|&(_, missed)| missed > 0)
            .collect();
        let table = [w, m, v].map(SharedMut::new);
        behind.par_iter().with_min_len(4).for_each(|&(row, missed)| {
            let steps = &self.history[self.history.len() - missed..];
            // SAFETY: `behind` holds every row once, so that it is this task's alone.
            let [w, m, v] = table.map(|slice| unsafe { slice.slice(row * width, width) });
            replay(isa, steps, w, m, v);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::adamw::{adamw, tests::STEP};
    use super::super::sum_of_squares;
    use super::*;
    use crate::testing::{isas, random};
    use proptest::prelude::*;

    /// A table, its gradients and moments.
    #[derive(Clone, PartialEq)]
    struct Table {
        w: Vec<f32>,
        g: Vec<f32>,
        m: Vec<f32>,
        v: Vec<f32>,
    }

    impl Table {
        /// Every third row has moments from before.
        fn new(rows: usize, width: usize) -> Self {
            let len = rows * width;
            let mut m = random(2, len);
            for (i, row) in m.chunks_mut(width).enumerate() {
                row.iter_mut().for_each(|m| *m *= if i % 3 == 0 { 1e-3 } else { 0.0 });
            }
            let v = m.iter().map(|m| 2.0 * m * m).collect();
            Self { w: random(1, len), g: vec![0.0; len], m, v }
        }

        fn bits(&self) -> Vec<u32> {
            [&self.w, &self.g, &self.m, &self.v].into_iter().flatten().map(|x| x.to_bits()).collect()
        }
    }

    /// What one step of training looks up, and its scalars.
    fn steps(rows: u32) -> impl Strategy<Value = Vec<(Vec<u32>, AdamStep)>> {
        let scalars = (1e-6..1e-2f64, prop_oneof![Just(0.0), Just(0.01)], prop_oneof![Just(1.0), 0.1..1.0f64]);
        let step = (prop::collection::vec(0..rows, 0..6), scalars).prop_map(|(ids, scalars)| {
            let (learning_rate, weight_decay, gradient_scale) = scalars;
            (ids, AdamStep { learning_rate, weight_decay, gradient_scale, ..STEP })
        });
        prop::collection::vec(step, 0..90)
    }

    fn gradients(step: usize, ids: &[u32], width: usize, g: &mut [f32]) {
        for &id in ids {
            let row = &mut g[id as usize * width..][..width];
            row.copy_from_slice(&random(step as u64 * 1000 + u64::from(id), width));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_that_caught_up_have_the_bits_of_eager_steps(
            (rows, steps) in (1u32..80).prop_flat_map(|rows| (Just(rows), steps(rows))),
            width in prop_oneof![1usize..20, 60usize..140],
            settle_after in 0usize..90,
        ) {
            for isa in isas() {
                let mut eager = Table::new(rows as usize, width);
                let (mut lazy, mut state) = (eager.clone(), LazyRows::new(rows as usize, width));
                for (i, (ids, step)) in steps.iter().enumerate() {
                    let step = AdamStep { step: i as u64 + 1, ..*step };
                    gradients(i, ids, width, &mut eager.g);
                    adamw(isa, step, &mut eager.w, &eager.g, &mut eager.m, &mut eager.v);
                    eager.g.fill(0.0);

                    state.catch_up(isa, ids, &mut lazy.w, &mut lazy.m, &mut lazy.v);
                    state.touch(ids);
                    gradients(i, ids, width, &mut lazy.g);
                    state.step(isa, step, &mut lazy.w, &mut lazy.g, &mut lazy.m, &mut lazy.v);
                    prop_assert!(state.touched().is_empty() && lazy.g == eager.g);
                    prop_assert!(state.history.len() <= MOST_BEHIND);
                    for &id in ids {
                        let row = id as usize * width..(id as usize + 1) * width;
                        prop_assert!(lazy.w[row.clone()] == eager.w[row], "row {id} after step {i}");
                    }
                    if i == settle_after {
                        state.settle(isa, &mut lazy.w, &mut lazy.m, &mut lazy.v);
                        prop_assert!(lazy.bits() == eager.bits(), "settled after step {i} on {}", isa.name());
                    }
                }
                state.settle(isa, &mut lazy.w, &mut lazy.m, &mut lazy.v);
                prop_assert!(lazy.bits() == eager.bits(), "at the end on {}", isa.name());
            }
        }
    }

    #[test]
    fn an_eps_of_zero_ruins_resting_rows_as_in_eager_steps() {
        let step = AdamStep { eps: 0.0, ..STEP };
        for isa in isas() {
            let mut state = LazyRows::new(2, 70);
            let [mut w, mut g, mut m, mut v] = [1.0, 0.0, 0.0, 0.0].map(|x| vec![x; 140]);
            state.step(isa, step, &mut w, &mut g, &mut m, &mut v);
            state.settle(isa, &mut w, &mut m, &mut v);
            assert!(w.iter().all(|w| w.is_nan()));
        }
    }

    #[test]
    fn the_norm_has_the_same_bits_in_any_order_of_touching_and_on_any_number_of_threads() {
        let (rows, width) = (50, 33);
        let g = random(5, rows * width);
        for isa in isas() {
            let touched = |ids: [&[u32]; 2]| {
                let mut state = LazyRows::new(rows, width);
                ids.iter().for_each(|ids| state.touch(ids));
                assert_eq!(state.touched(), [3, 7, 20, 49]);
                state.sum_of_squares(isa, &g)
            };
            let sum = touched([&[49, 3, 3], &[20, 7, 49]]);
            assert_eq!(sum, touched([&[3, 7, 20, 49], &[]]));
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(sum, pool.install(|| touched([&[20, 3], &[7, 49]])), "{threads} threads");
            }
            let want: f64 = [3, 7, 20, 49].map(|id| sum_of_squares(isa, &g[id * width..][..width])).iter().sum();
            assert!((sum - want).abs() <= 1e-9 * want, "{sum} {want}");
        }
    }

    #[test]
    fn gradients_can_be_dropped() {
        let mut state = LazyRows::new(4, 2);
        state.touch(&[2, 1, 2]);
        let mut g = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0];
        state.zero_gradients(&mut g);
        assert!(g == [0.0; 8] && state.touched().is_empty());
        state.touch(&[1]);
        assert_eq!(state.touched(), [1]);
    }

    #[test]
    #[should_panic(expected = "whole table")]
    fn a_part_of_the_table_is_refused() {
        LazyRows::new(4, 2).catch_up(Isa::Portable, &[0], &mut [0.0; 8], &mut [0.0; 8], &mut [0.0; 6]);
    }
}
