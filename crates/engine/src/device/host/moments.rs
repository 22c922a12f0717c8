//! What the optimiser keeps of past gradients, in the host's memory. An arena that it does not keep is empty.

use gyeol_kernels::{Arena, Kernels, LazyRows, RowSlices, Span};

use super::super::{AllocationError, Store};
use super::parameters::arena;
use crate::config::Optimizer;
use crate::optim::{Factored, factored};
use crate::params::Tensor;

#[derive(Debug)]
pub(super) struct Moments {
    pub(super) first: Arena,
    pub(super) second: Arena,
    pub(super) means: Arena,
    /// Where the means lie, tensor by tensor.
    pub(super) places: Vec<Factored>,
}

impl Moments {
    pub(super) fn none() -> Self {
        let empty = || Arena::zeros(0).expect("nothing always fits");
        Self { first: empty(), second: empty(), means: empty(), places: Vec::new() }
    }

    pub(super) fn allocate(tensors: &[Tensor], optimizer: Optimizer) -> Result<Self, AllocationError> {
        let mut moments = Self::none();
        let len = tensors.last().map_or(0, |last| last.span.end());
        for store in optimizer.moments() {
            match store {
                Store::FirstMoments => moments.first = arena("the first moments", len)?,
                Store::SecondMoments => moments.second = arena("the second moments", len)?,
                Store::FactoredMoments => {
                    moments.means = arena("the means of squares", optimizer.moments_len(tensors.iter()))?;
                    moments.places = factored(tensors);
                }
                Store::Weights | Store::Gradients | Store::Average => unreachable!("no moments"),
            }
        }
        Ok(moments)
    }

    /// First and second moments of a part of the parameters, empty where there are none.
    pub(super) fn views(&mut self, part: Span) -> [&mut [f32]; 2] {
        [&mut self.first, &mut self.second].map(|arena| {
            let kept = if arena.is_empty() { Span::default() } else { part };
            arena.view_mut(kept)
        })
    }

    /// Brings the rows `ids` of the word table, or all, to the present. No optimiser but AdamW leaves any behind.
    pub(super) fn catch_up<K: Kernels>(
        &mut self,
        kernels: &K,
        rows: &mut LazyRows,
        ids: Option<&[u32]>,
        weights: &mut Arena,
        table: Span,
    ) {
        if let [first @ [_, ..], second @ [_, ..]] = self.views(table) {
            kernels.catch_up(rows, ids, RowSlices { weights: weights.view_mut(table), first, second });
        }
    }
}
