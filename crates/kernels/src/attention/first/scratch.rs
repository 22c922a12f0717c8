//! What attention of first tokens keeps from the forward pass to the backward pass, and where both work.

use super::FirstAttention;
use crate::attention::{Heads, LINE};

/// The parts of the scratch.
pub(super) struct Scratch<'a> {
    /// The first rows of the input, `[sequences, hidden]`.
    pub(super) first: &'a mut [f32],
    /// Their queries, `[sequences, hidden]`; in the end the gradients of these.
    pub(super) queries: &'a mut [f32],
    /// Results of products with one head's weights, `[heads, sequences, head_dim]`, or as long.
    pub(super) by_head: &'a mut [f32],
    /// What each head's query, and after those what its context is in terms of the input, twice `[heads, sequences,
    /// hidden]`: Kᵀq, with which tokens are multiplied for their scores, and Σ p x, of which V makes the context. The
    /// backward pass puts the gradient of each in its place.
    pub(super) terms: &'a mut [f32],
    /// Before dropout, `[tokens, lanes]`.
    pub(super) probabilities: &'a mut [f32],
    /// The sum of what dropout leaves of a head's probabilities, `[sequences, lanes]`.
    pub(super) kept: &'a mut [f32],
}

impl<'a> Scratch<'a> {
    fn sizes(shape: Heads, tokens: usize, sequences: usize) -> [usize; 6] {
        let (rows, lanes) = (sequences * shape.hidden(), shape.lanes());
        [rows, rows, rows, 2 * shape.heads * rows, tokens * lanes, sequences * lanes]
    }

    /// `scratch` cut into the parts for `layer`.
    pub(super) fn of(layer: &FirstAttention<'_>, scratch: &'a mut [f32]) -> Self {
        let (sequences, tokens) = (layer.sequences(), layer.x.len() / layer.shape.hidden());
        assert_eq!(scratch.len(), layer.shape.first_scratch(tokens, sequences), "scratch as long as it takes");
        let mut rest = scratch;
        let [first, queries, by_head, terms, probabilities, kept] = Self::sizes(layer.shape, tokens, sequences)
            .map(|size| rest.split_off_mut(..size).expect("the parts are as long as the whole"));
        Self { first, queries, by_head, terms, probabilities, kept }
    }
}

impl Heads {
    /// Numbers of scratch that attention of the first token of each of `sequences` takes, over `tokens` in all.
    pub fn first_scratch(self, tokens: usize, sequences: usize) -> usize {
        Scratch::sizes(self, tokens, sequences).iter().sum()
    }

    /// Numbers from the probabilities of one token to those of the next: one a head, up to whole vectors of any kind.
    pub(super) fn lanes(self) -> usize {
        self.heads.next_multiple_of(LINE)
    }
}
