//! Attention of some heads of one sequence, forward and backward: products around the softmax of [`Block`].

use super::block::{BLOCK, Block, Layer, Task};
use super::lanes::{Lanes, Work};
use super::target::Target;
use super::tile::{Product, Rows};
use crate::shared::SharedMut;

/// `rows` as whole vectors: where they are, or packed into `room`.
///
/// # Safety
/// The rows are readable.
#[inline(always)]
unsafe fn whole_vectors<S: Lanes>(rows: Rows, room: &mut [f32]) -> Rows {
    if rows.columns.is_multiple_of(S::WIDTH) {
        rows
    } else {
        // SAFETY: passed on to the caller.
        unsafe { rows.pack(S::WIDTH, room) }
    }
}

/// The forward pass of a task.
pub(super) struct Forward<'a> {
    pub(super) layer: Layer<'a>,
    pub(super) task: &'a Task,
    /// Rows of `hidden`, one a token.
    pub(super) out: Target<'a>,
    /// `[tokens, heads]`
    pub(super) lse: SharedMut<'a>,
    /// [`Layer::scratch`] elements.
    pub(super) scratch: &'a mut [f32],
}

impl Work for Forward<'_> {
    /// # Safety
    /// `out` and `lse` have a row for every token; the task's heads of its tokens are accessed by this call alone.
    #[inline(always)]
    unsafe fn run<S: Lanes>(self, s: S) {
        let (layer, task, length) = (self.layer, self.task, self.task.length);
        let head_dim = layer.shape.head_dim;
        let width = head_dim.next_multiple_of(S::WIDTH);
        let (probabilities, rest) = self.scratch.split_at_mut(length * BLOCK);
        let (transposed, rest) = rest.split_at_mut(head_dim * BLOCK);
        let (results, room) = rest.split_at_mut(width * BLOCK);
        for (heads, first) in layer.blocks(task, S::WIDTH) {
            let block = Block::new(layer, task, heads, first, S::WIDTH);
            let stride = block.stride();
            for head in block.heads.clone() {
                let [q, k, _] = layer.operands(task, head);
                if head + 1 < task.heads.end {
                    layer.operands(task, head + 1).into_iter().for_each(Rows::prefetch);
                }
                // SAFETY: the operands are those of the layer.
                unsafe { block.scores(s, head, k, q, transposed, probabilities) };
            }
            for lane in (0..stride).step_by(S::WIDTH) {
                let logs = block.softmax(s, lane, probabilities);
                let (head, query, count) = block.queries_of::<S>(lane);
                for (i, &log) in logs[..count].iter().enumerate() {
                    // SAFETY: one task owns this token and head.
                    unsafe { self.lse.slice(block.slot(head, query + i), 1)[0] = log };
                }
            }
            for head in block.heads.clone() {
                let [_, _, v] = layer.operands(task, head);
                // SAFETY: operands of the layer; one task owns these tokens and the columns of this head.
                unsafe {
                    let v = whole_vectors::<S>(v, room);
                    s.enter(Product {
                        rows: block.count,
                        depth: length,
                        columns: head_dim,
                        a: probabilities[block.lane(head)..].as_ptr(),
                        a_row: 1,
                        a_column: stride,
                        b: v.at,
                        b_row: v.stride,
                        out: results.as_mut_ptr(),
                        out_row: width,
                        accumulate: false,
                    });
                    let at = [task.from + block.first, head * head_dim];
                    self.out.write(at, head_dim, &results[..block.count * width], width);
                }
            }
        }
    }
}

/// The backward pass of a task.
pub(super) struct Backward<'a> {
    pub(super) layer: Layer<'a>,
    pub(super) task: &'a Task,
    /// `[tokens, heads]`
    pub(super) lse: &'a [f32],
    /// `[tokens, hidden]`
    pub(super) dout: &'a [f32],
    /// Rows of `3·hidden`, one a token.
    pub(super) dqkv: Target<'a>,
    /// [`Layer::scratch`] elements.
    pub(super) scratch: &'a mut [f32],
}

impl Work for Backward<'_> {
    /// # Safety
    /// `dqkv` has a row for every token; the task's heads of its tokens are accessed by this call alone.
    #[inline(always)]
    unsafe fn run<S: Lanes>(self, s: S) {
        let (layer, task, length) = (self.layer, self.task, self.task.length);
        let (hidden, head_dim) = (layer.shape.hidden(), layer.shape.head_dim);
        let (probabilities, rest) = self.scratch.split_at_mut(length * BLOCK);
        let (gradients, rest) = rest.split_at_mut(length * BLOCK);
        let (dropped, rest) = rest.split_at_mut(length * BLOCK);
        let (transposed, room) = rest.split_at_mut(head_dim * BLOCK);
        let width = head_dim.next_multiple_of(S::WIDTH);
        let (k_room, room) = room.split_at_mut(length * width);
        let (q_room, room) = room.split_at_mut(length * width);
        let (dout_room, results) = room.split_at_mut(length * width);
        // Gradients of a head's queries, keys and values: those of keys and values are sums over the blocks of queries.
        let results = &mut results[..3 * length * width];
        let dout = |head: usize| {
            let rows = &self.dout[task.from * hidden..][..length * hidden];
            Rows { at: rows[head * head_dim..].as_ptr(), stride: hidden, rows: length, columns: head_dim }
        };
        for (heads, first) in layer.blocks(task, S::WIDTH) {
            let block = Block::new(layer, task, heads, first, S::WIDTH);
            let stride = block.stride();
            for head in block.heads.clone() {
                let [q, k, v] = layer.operands(task, head);
                if head + 1 < task.heads.end {
                    layer.operands(task, head + 1).into_iter().for_each(Rows::prefetch);
                    dout(head + 1).prefetch();
                }
                // SAFETY: the operands are those of the layer.
                unsafe {
                    block.scores(s, head, k, q, transposed, probabilities);
                    block.scores(s, head, v, dout(head), transposed, gradients);
                }
            }
            for lane in (0..stride).step_by(S::WIDTH) {
                block.softmax_backward(s, lane, self.lse, probabilities, gradients, dropped);
            }
            let applied = if layer.dropout.is_some() { &*dropped } else { &*probabilities };
            for head in block.heads.clone() {
                let [q, k, _] = layer.operands(task, head);
                // SAFETY: operands of the layer; one task owns these tokens and the columns of this head in each of the
                // three parts.
                unsafe {
                    let [dq, dk, dv] = [0, 1, 2].map(|part| results.as_mut_ptr().add(part * length * width));
                    let k = whole_vectors::<S>(k, k_room);
                    let of_queries = Product {
                        rows: block.count,
                        depth: length,
                        columns: head_dim,
                        a: gradients[block.lane(head)..].as_ptr(),
                        a_row: 1,
                        a_column: stride,
                        b: k.at,
                        b_row: k.stride,
                        out: dq.add(block.first * width),
                        out_row: width,
                        accumulate: false,
                    };
                    let q = whole_vectors::<S>(q.part(block.first, block.count), q_room);
                    let of_keys = Product {
                        rows: length,
                        depth: block.count,
                        a_row: stride,
                        a_column: 1,
                        b: q.at,
                        b_row: q.stride,
                        out: dk,
                        accumulate: block.first > 0,
                        ..of_queries
                    };
                    let dout = whole_vectors::<S>(dout(head).part(block.first, block.count), dout_room);
                    let of_values = Product {
                        a: applied[block.lane(head)..].as_ptr(),
                        b: dout.at,
                        b_row: dout.stride,
                        out: dv,
                        ..of_keys
                    };
                    s.enter(of_queries);
                    s.enter(of_keys);
                    s.enter(of_values);
                    if block.first + block.count == length {
                        for (part, rows) in results.chunks_exact(length * width).enumerate() {
                            self.dqkv.write([task.from, part * hidden + head * head_dim], head_dim, rows, width);
                        }
                    }
                }
            }
        }
    }
}
