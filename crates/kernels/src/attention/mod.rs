//! Multi-head self-attention over ragged sequences: one task some heads of a sequence, its scores in cache, nothing padded.
//!
//! [`head`] is the algorithm, on the scores of [`block`] and the small products of [`tile`]; [`lanes`] compiles them for
//! every instruction set. [`first`] is a shorter way for a last block of which only first
//! tokens are read.

mod block;
mod first;
mod head;
mod lanes;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::cell::RefCell;
use std::cmp::Reverse;

use rayon::prelude::*;

use crate::dropout::Dropout;
use crate::isa::Isa;
use crate::shared::SharedMut;
use block::{Layer, Task};
pub use first::FirstAttention;
pub(crate) use first::{Projection, attention_first, attention_first_backward};
use head::{Backward, Forward};
use lanes::enter;

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

/// The queries that attention is computed for. Keys and values are those of every token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Queries {
    /// Every token.
    #[default]
    All,
    /// The first token of each sequence. Other rows of `out` and `lse` are left alone, of `dout` not read.
    First,
}

/// `out = softmax(Q·Kᵀ/√d)·V` for every sequence and head.
///
/// `qkv` is `[tokens, 3·hidden]`, `out` `[tokens, hidden]`, `lse` `[tokens, heads]` (kept for the backward pass).
#[allow(clippy::too_many_arguments, reason = "the operands of one fused operation and its results")]
pub(crate) fn attention(
    isa: Isa,
    shape: Heads,
    queries: Queries,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    out: &mut [f32],
    lse: &mut [f32],
) {
    check(shape, qkv, cu_seqlens, out, lse);
    let (out, lse) = (SharedMut::new(out), SharedMut::new(lse));
    let layer = Layer { shape, queries, qkv, dropout };
    for_each_task(layer, cu_seqlens, |task, scratch| {
        // SAFETY: the sizes were checked, and no two tasks share a token and head.
        unsafe { enter(isa, Forward { layer, task, out, lse, scratch }) }
    });
}

/// The backward pass of [`attention`] from `dout` to all of `dqkv`, which is 0 for queries that were not asked for; the
/// probabilities are computed again from `lse`.
#[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
pub(crate) fn attention_backward(
    isa: Isa,
    shape: Heads,
    queries: Queries,
    qkv: &[f32],
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    lse: &[f32],
    dout: &[f32],
    dqkv: &mut [f32],
) {
    check(shape, qkv, cu_seqlens, dout, lse);
    assert_eq!(dqkv.len(), qkv.len(), "gradients as large as their values");
    let dqkv = SharedMut::new(dqkv);
    let layer = Layer { shape, queries, qkv, dropout };
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
    tasks.par_iter().with_max_len(1).for_each(|task| {
        // Taken out of its cell, so that other work this thread may take up meanwhile finds an empty one.
        let mut scratch = SCRATCH.take();
        let len = layer.scratch(task.length);
        if scratch.len() < len + LINE {
            scratch.resize(len + LINE, 0.0);
        }
        let aligned = scratch.as_ptr().align_offset(LINE * size_of::<f32>());
        work(task, &mut scratch[aligned..][..len]);
        SCRATCH.set(scratch);
    });
}

fn check(shape: Heads, qkv: &[f32], cu_seqlens: &[u32], out: &[f32], lse: &[f32]) {
    assert!(cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
    let tokens = *cu_seqlens.last().expect("cumulative lengths start with 0") as usize;
    let width = shape.hidden();
    assert_eq!(Some(out.len()), tokens.checked_mul(width), "an output row a token");
    assert_eq!(Some(qkv.len()), out.len().checked_mul(3), "queries, keys and values of every token");
    assert_eq!(Some(lse.len()), tokens.checked_mul(shape.heads), "one sum a token and head");
}

#[cfg(test)]
mod tests;
