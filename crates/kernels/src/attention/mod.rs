//! Multi-head self-attention over ragged sequences: one task some heads of a sequence, its scores in cache, nothing padded.
//!
//! [`head`] is the algorithm, on the scores of [`block`] and the small products of [`tile`]; [`lanes`] compiles them for
//! every instruction set, [`operand`] for single precision and for pairs of bfloat16; [`target`] is where results go. [`first`] is a shorter way for a last block of which only first
//! tokens are read.

mod block;
mod first;
mod head;
mod lanes;
mod operand;
#[cfg(target_arch = "x86_64")]
mod pairs;
mod target;
mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Reverse;

use rayon::prelude::*;

use crate::dropout::Dropout;
use crate::isa::Isa;
use crate::rounded::{Rows, RowsMut};
use crate::shared::SharedMut;
use block::{Layer, Task};
pub use first::FirstAttention;
pub(crate) use first::{Projection, attention_first, attention_first_backward};
use head::{Backward, Forward};
use operand::Operand;
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
/// `qkv` are rows of `3·hidden`, `out` rows of `hidden`, one a token, `lse` `[tokens, heads]` (kept for the backward pass).
/// Products of rounded `qkv` are in bfloat16 where the instruction set has them; the softmax is in single precision.
pub(crate) fn attention(
    isa: Isa,
    shape: Heads,
    qkv: Rows<'_>,
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    out: RowsMut<'_>,
    lse: &mut [f32],
) {
    match Words::of(isa, shape, qkv) {
        Words::Single(qkv) => forward(isa, Layer { shape, qkv: &qkv, dropout }, cu_seqlens, out, lse),
        Words::Pairs(qkv) => forward(isa, Layer { shape, qkv, dropout }, cu_seqlens, out, lse),
    }
}

fn forward<W: Operand>(isa: Isa, layer: Layer<'_, W>, cu_seqlens: &[u32], out: RowsMut<'_>, lse: &mut [f32]) {
    let tokens = check(layer, cu_seqlens, lse);
    let (out, lse) = (Target::new(isa, out, tokens, layer.shape.hidden()), SharedMut::new(lse));
    for_each_task(layer, cu_seqlens, |task, scratch| {
        // SAFETY: the sizes were checked, and no two tasks share a token and head.
        unsafe { W::enter(isa, Forward { layer, task, out, lse, scratch }) }
    });
}

/// The backward pass of [`attention`] from `dout`, `[tokens, hidden]`, to `dqkv`, rows of `3·hidden`; the probabilities are
/// computed again from `lse`.
#[allow(clippy::too_many_arguments, reason = "the operands of the forward pass and their gradients")]
pub(crate) fn attention_backward(
    isa: Isa,
    shape: Heads,
    qkv: Rows<'_>,
    cu_seqlens: &[u32],
    dropout: Option<Dropout>,
    lse: &[f32],
    dout: &[f32],
    dqkv: RowsMut<'_>,
) {
    match Words::of(isa, shape, qkv) {
        Words::Single(qkv) => backward(isa, Layer { shape, qkv: &qkv, dropout }, cu_seqlens, lse, dout, dqkv),
        Words::Pairs(qkv) => backward(isa, Layer { shape, qkv, dropout }, cu_seqlens, lse, dout, dqkv),
    }
}

fn backward<W: Operand>(
    isa: Isa,
    layer: Layer<'_, W>,
    cu_seqlens: &[u32],
    lse: &[f32],
    dout: &[f32],
    dqkv: RowsMut<'_>,
) {
    let (tokens, hidden) = (check(layer, cu_seqlens, lse), layer.shape.hidden());
    assert_eq!(dout.len(), tokens * hidden, "a gradient a token");
    let dqkv = Target::new(isa, dqkv, tokens, 3 * hidden);
    for_each_task(layer, cu_seqlens, |task, scratch| {
        // SAFETY: the sizes were checked, and no two tasks share a token and head.
        unsafe { W::enter(isa, Backward { layer, task, lse, dout, dqkv, scratch }) }
    });
}

/// Queries, keys and values in the words that products take.
enum Words<'a> {
    Single(Cow<'a, [f32]>),
    Pairs(&'a [u32]),
}

impl<'a> Words<'a> {
    /// Rounded rows are pairs as they lie; but for a head of odd width, which would cut them and which no model in use has,
    /// and where the instruction set multiplies none: there they are widened.
    fn of(isa: Isa, shape: Heads, qkv: Rows<'a>) -> Self {
        let halves = match qkv {
            Rows::Single(values) => return Words::Single(Cow::Borrowed(values)),
            Rows::Rounded(halves) => halves,
        };
        // SAFETY: any two halves are a word.
        match unsafe { halves.align_to() } {
            ([], words, []) if isa.has_bf16() && shape.head_dim.is_multiple_of(2) => Words::Pairs(words),
            _ => Words::Single(Cow::Owned(qkv.to_single(3 * shape.hidden()))),
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Elements of a cache line, and of the widest vector.
const LINE: usize = 16;

/// Multiply-adds of words in a task: about ten microseconds, so that threads end together and handing out costs little.
const WORK_PER_TASK: usize = 1 << 19;

/// Runs `work` on every head of every sequence, the long sequences first.
fn for_each_task<W: Operand>(layer: Layer<'_, W>, cu_seqlens: &[u32], work: impl Fn(&Task, &mut [f32]) + Sync) {
    let mut tasks = Vec::new();
    for pair in cu_seqlens.windows(2) {
        let (from, length) = (pair[0] as usize, (pair[1] - pair[0]) as usize);
        let work_per_head = length * length * layer.shape.head_dim;
        let heads_per_task = (WORK_PER_TASK * W::GROUP / work_per_head).clamp(1, layer.shape.heads);
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
fn check<W: Operand>(layer: Layer<'_, W>, cu_seqlens: &[u32], lse: &[f32]) -> usize {
    assert!(cu_seqlens.windows(2).all(|pair| pair[0] < pair[1]), "cumulative lengths increase");
    let tokens = *cu_seqlens.last().expect("cumulative lengths start with 0") as usize;
    let row = W::stride(layer.shape.hidden().checked_mul(3).expect("a row fits the address space"));
    assert_eq!(Some(layer.qkv.len()), tokens.checked_mul(row), "queries, keys and values of every token");
    assert_eq!(lse.len(), tokens * layer.shape.heads, "one sum a token and head");
    tokens
}

#[cfg(test)]
mod tests;
