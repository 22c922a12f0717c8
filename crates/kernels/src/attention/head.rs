//! Attention of some heads of one sequence, forward and backward: products around the softmax of [`Block`].

use std::ops::Range;

use super::block::{BLOCK, Block, Layer, Task};
use super::lanes::Work;
use super::operand::{Operand, Products};
use super::target::Target;
use super::tile::{Product, Rows};
use crate::shared::SharedMut;

/// The forward pass of a task.
pub(super) struct Forward<'a, W> {
    pub(super) layer: Layer<'a, W>,
    pub(super) task: &'a Task,
    /// Rows of `hidden`, one a token.
    pub(super) out: Target<'a>,
    /// `[tokens, heads]`
    pub(super) lse: SharedMut<'a>,
    /// [`Layer::scratch`] elements.
    pub(super) scratch: &'a mut [f32],
}

impl<W: Operand> Work<W> for Forward<'_, W> {
    /// # Safety
    /// `out` and `lse` have a row for every token; the task's heads of its tokens are accessed by this call alone.
    #[inline(always)]
    unsafe fn run<S: Products<W>>(self, s: S) {
        let (layer, task, length) = (self.layer, self.task, self.task.length);
        let head_dim = layer.shape.head_dim;
        let width = head_dim.next_multiple_of(S::WIDTH);
        let (probabilities, rest) = self.scratch.split_at_mut(length * BLOCK);
        let (transposed, rest) = rest.split_at_mut(head_dim * BLOCK);
        let (results, room) = rest.split_at_mut(width * BLOCK);
        let mut values = None;
        for (heads, first) in layer.blocks(task, S::WIDTH) {
            let block = Block::new(layer, task, heads, first, S::WIDTH);
            let stride = block.stride();
            for head in block.heads.clone() {
                let [q, k, _] = layer.operands(task, head);
                if head + 1 < layer.shape.heads {
                    layer.operands(task, head + 1).into_iter().for_each(Rows::prefetch);
                }
                // SAFETY: the operands are those of the layer.
                unsafe {
                    let q = q.part(block.first, block.count);
                    block.scores(s, head, k, q, transposed, probabilities);
                }
                self.out.prefetch([task.from + block.first, head * head_dim], head_dim, block.count);
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
                    // A head of several blocks has them to itself, one after the other.
                    let v = match values {
                        Some(values) if block.first > 0 => values,
                        _ => s.down(v, room),
                    };
                    values = Some(v);
                    s.enter(Product {
                        rows: block.count,
                        depth: v.rows,
                        columns: head_dim,
                        a: probabilities[block.lane(head)..].as_ptr().cast(),
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
pub(super) struct Backward<'a, W> {
    pub(super) layer: Layer<'a, W>,
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

impl<W: Operand> Work<W> for Backward<'_, W> {
    /// # Safety
    /// `dqkv` has a row for every token; the task's heads of its tokens are accessed by this call alone.
    #[inline(always)]
    unsafe fn run<S: Products<W>>(self, s: S) {
        let (layer, task, length) = (self.layer, self.task, self.task.length);
        let (hidden, head_dim) = (layer.shape.hidden(), layer.shape.head_dim);
        let width = head_dim.next_multiple_of(S::WIDTH);
        let (probabilities, rest) = self.scratch.split_at_mut(length * BLOCK);
        let (gradients, rest) = rest.split_at_mut(length * BLOCK);
        let (across, rest) = rest.split_at_mut((length + 1) * BLOCK);
        let (transposed, rest) = rest.split_at_mut(head_dim * BLOCK);
        let (dout_room, room) = rest.split_at_mut(width * BLOCK);
        let (k_room, room) = room.split_at_mut(length * width);
        let (q_room, room) = room.split_at_mut(length * width);
        let (down_room, results) = room.split_at_mut(length * width);
        // Gradients of a head's queries, keys and values: those of keys and values are sums over the blocks of queries.
        let results = &mut results[..3 * length * width];
        let dout = |heads: Range<usize>| {
            let rows = &self.dout[task.from * hidden..][..length * hidden];
            let columns = heads.len() * head_dim;
            Rows { at: rows[heads.start * head_dim..].as_ptr(), stride: hidden, rows: length, columns }
        };
        let mut keys = None;
        for (heads, first) in layer.blocks(task, S::WIDTH) {
            let block = Block::new(layer, task, heads, first, S::WIDTH);
            let stride = block.stride();
            // SAFETY: a row a query of the block.
            let dout = unsafe { dout(block.heads.clone()).part(block.first, block.count) };
            dout.prefetch();
            for head in block.heads.clone() {
                let [q, k, _] = layer.operands(task, head);
                if head + 1 < layer.shape.heads {
                    layer.operands(task, head + 1).into_iter().for_each(Rows::prefetch);
                }
                // SAFETY: the operands are those of the layer.
                unsafe {
                    let q = q.part(block.first, block.count);
                    block.scores(s, head, k, q, transposed, probabilities);
                }
            }
            // SAFETY: the rows are readable.
            let dout = unsafe { s.rounded(dout, dout_room) };
            let dout = |head: usize| {
                let columns = head_dim / W::GROUP;
                // SAFETY: `head` is one of the block's.
                unsafe { dout.columns((head - block.heads.start) * columns, columns) }
            };
            for head in block.heads.clone() {
                let [_, _, v] = layer.operands(task, head);
                // SAFETY: the operands are those of the layer.
                unsafe { block.scores(s, head, v, dout(head), transposed, gradients) };
                if block.first + block.count == length {
                    for part in 0..3 {
                        self.dqkv.prefetch([task.from, part * hidden + head * head_dim], head_dim, length);
                    }
                }
            }
            for lane in (0..stride).step_by(S::WIDTH) {
                block.softmax_backward(s, lane, self.lse, probabilities, gradients, across);
            }
            let [kept, ds] = Block::<W>::across(gradients.as_mut_ptr(), across);
            for head in block.heads.clone() {
                let [q, k, _] = layer.operands(task, head);
                let lane = block.lane(head);
                // SAFETY: operands of the layer; one task owns these tokens and the columns of this head in each of the
                // three parts.
                unsafe {
                    let [dq, dk, dv] = [0, 1, 2].map(|part| results.as_mut_ptr().add(part * length * width));
                    // A head of several blocks has them to itself, one after the other.
                    let k = match keys {
                        Some(keys) if block.first > 0 => keys,
                        _ => s.down(k, k_room),
                    };
                    keys = Some(k);
                    let of_queries = Product {
                        rows: block.count,
                        depth: k.rows,
                        columns: head_dim,
                        a: gradients[lane..].as_ptr().cast(),
                        a_row: 1,
                        a_column: stride,
                        b: k.at,
                        b_row: k.stride,
                        out: dq.add(block.first * width),
                        out_row: width,
                        accumulate: false,
                    };
                    let q = s.down(q.part(block.first, block.count), q_room);
                    let of_keys = Product {
                        rows: length,
                        depth: q.rows,
                        a: ds.add(lane / W::GROUP).cast_const(),
                        a_row: stride / W::GROUP,
                        a_column: 1,
                        b: q.at,
                        b_row: q.stride,
                        out: dk,
                        accumulate: block.first > 0,
                        ..of_queries
                    };
                    let dout = s.down(dout(head), down_room);
                    let of_values = Product {
                        a: kept.add(lane / W::GROUP).cast_const(),
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
