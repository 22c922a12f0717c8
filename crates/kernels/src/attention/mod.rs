//! Multi-head self-attention over ragged sequences: one task some heads of a sequence, its scores in cache, nothing padded.
//!
//! [`head`] is the algorithm, on the scores of [`block`] and the small products of [`tile`]; [`lanes`] compiles them for
//! every instruction set, [`target`] is where results go. [`first`] is a shorter way for a last block of which only first
//! tokens are read.

mod block;
mod first;
mod head;
mod lanes;
mod target;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::RefCell;
use std::cmp::Reverse;

use rayon::prelude::*;

use crate::dropout::Dropout;
use crate::isa::Isa;
use crate::rounded::RowsMut;
use crate::shared::SharedMut;
use block::{Layer, Task};
pub use first::FirstAttention;
pub(crate) use first::{Projection, attention_first, attention_first_backward};
use head::{Backward, Forward};
use lanes::enter;
use target::Target;

/// The shape of an attention layer: `heads` heads of `head_dim` features each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Number of heads.
    pub heads: usize,
    /// Features of one head.
    pub head_dim: usize,
}

impl Heads {
    /// Features of all heads together.
    pub fn hidden(self) -> usize {
        self.heads.checked_mul(self.head_dim).expect("a width fits the address space")
    }

    /// Scores are divided by the square root of the head's features.
    pub(crate) fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

/// `out = softmax(Q·Kᵀ/√d)·V` for every sequence and head.
///
/// `qkv` is `[tokens, 3·hidden]`, `out` rows of `hidden`, one a token, `lse` `[tokens, heads]` (kept for the backward pass).
pub(crate) fn attention(
    isa: Isa,
    shape: Heads,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    out: RowsMut<'_>,
    lse: &mut [f32],
) {
    let tokens = check(shape, qkv, cu_seqlens, lse);
    let (out, lse) = (Target::new(isa, out, tokens, shape.hidden()), SharedMut::new(lse));
    let layer = Layer { shape, qkv, dropout };
    for_each_task(layer, cu_seqlens, |task, scratch| {
        // SAFETY: the sizes were checked, and no two tasks share a token and head.
        unsafe { enter(isa, Forward { layer, task, out, lse, scratch }) }
    });
}

/// The backward pass of [`attention`] from `dout` to `dqkv`, rows of `3·hidden`; the probabilities are computed again
/// from `lse`.
#[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
pub(crate) fn attention_backward(
    isa: Isa,
    shape: Heads,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    lse: &[f32],
    dout: &[f32],
    dqkv: RowsMut<'_>,
) {
    let tokens = check(shape, qkv, cu_seqlens, lse);
    assert_eq!(dout.len(), tokens * shape.hidden(), "a gradient a token");
    let dqkv = Target::new(isa, dqkv, tokens, 3 * shape.hidden());
    let layer = Layer { shape, qkv, dropout };
    for_each_task(layer, cu_seqlens, |task, scratch| {
        // SAFETY: the sizes were checked, and no two tasks share a token and head.
        unsafe { enter(isa, Backward { layer, task, lse, dout, dqkv, scratch }) }
    });
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Elements of a cache line, and of the widest vector.
const LINE: usize = 16;

/// Multiply-adds of a task: about ten microseconds, so that threads end together and handing out costs little.
const WORK_PER_TASK: usize = 1 << 19;

/// Runs `work` on every head of every sequence, the long sequences first.
fn for_each_task(layer: Layer<'_>, cu_seqlens: &[u32], work: impl Fn(&Task, &mut [f32]) + Sync) {
    let mut tasks = Vec::new();
    for pair in cu_seqlens.windows(2) {
        let (from, length) = (pair[0] as usize, (pair[1] - pair[0]) as usize);
        let work_per_head = length * length * layer.shape.head_dim;
        let heads_per_task = (WORK_PER_TASK / work_per_head).clamp(1, layer.shape.heads);
        for head in (0..layer.shape.heads).step_by(heads_per_task) {
            tasks.push(Task { from, length, heads: head..layer.shape.heads.min(head + heads_per_task) });
        }
    }
    tasks.sort_by_key(|task| Reverse(task.length));
    tasks.par_iter().with_max_len(1).for_each(|task| with_scratch(layer.scratch(task.length), |room| work(task, room)));
}

/// Lends the calling thread's buffer: `len` numbers that are left over from earlier work, from the start of a line on.
fn with_scratch(len: usize, work: impl FnOnce(&mut [f32])) {
    // Taken out of its cell, so that other work this thread may take up meanwhile finds an empty one.
    let mut scratch = SCRATCH.take();
    if scratch.len() < len + LINE {
        scratch.resize(len + LINE, 0.0);
    }
    let aligned = scratch.as_ptr().align_offset(LINE * size_of::<f32>());
    work(&mut scratch[aligned..][..len]);
    SCRATCH.set(scratch);
}

/// The number of tokens.
fn check(shape: Heads, qkv: &[f32], cu_seqlens: &[u32], lse: &[f32]) -> usize {
    assert!(cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
    let tokens = *cu_seqlens.last().expect("cumulative lengths start with 0") as usize;
    let row = shape.hidden().checked_mul(3).expect("a row fits the address space");
    assert_eq!(Some(qkv.len()), tokens.checked_mul(row), "queries, keys and values of every token");
    assert_eq!(lse.len(), tokens * shape.heads, "one sum a token and head");
    tokens
}

#[cfg(test)]
mod tests;
