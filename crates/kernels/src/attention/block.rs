//! The scores of some queries of some heads of a sequence: where they lie, and the softmax over them.
//!
//! Scores are held transposed, keys by queries: the queries lie along the lanes of vectors, so that maxima and sums over
//! keys need no step across lanes, and rows end in lanes that mean nothing instead of masks. Queries go in blocks whose
//! scores stay in cache; each block sees all keys. Heads of short sequences share a block, side by side, so that one's
//! waiting for results is another's working time.

use std::f32::consts::{LN_2, LOG2_E};
use std::ops::Range;

use super::lanes::Lanes;
use super::operand::{Operand, Products};
use super::tile::{Product, Rows};
use super::{Heads, LINE};
use crate::dropout::Dropout;
use crate::vecmath;

/// Most lanes of a block.
pub(super) const BLOCK: usize = 64;

/// What both passes read.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a, W> {
    pub(super) shape: Heads,
    /// Rows of `3·hidden` numbers, one a token, [`Operand::stride`] apart.
    pub(super) qkv: &'a [W],
    pub(super) dropout: Option<Dropout>,
}

/// Some heads of one sequence.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// The sequence's first token.
    pub(super) from: usize,
    /// Its tokens.
    pub(super) length: usize,
    pub(super) heads: Range<usize>,
}

impl<W: Operand> Layer<'_, W> {
    /// Elements of scratch that either pass may want for a sequence; words along the queries have a row more, as rows are
    /// written by twos.
    pub(super) fn scratch(self, length: usize) -> usize {
        let (head_dim, width) = (self.shape.head_dim, self.shape.head_dim.next_multiple_of(LINE));
        BLOCK * (3 * length + 1 + head_dim + width) + 6 * length * width
    }

    /// Heads and first query of the task's blocks, for vectors of `width`.
    pub(super) fn blocks(self, task: &Task, width: usize) -> impl Iterator<Item = (Range<usize>, usize)> {
        let (length, end) = (task.length, task.heads.end);
        let together = (BLOCK / length.next_multiple_of(width)).max(1);
        task.heads
            .clone()
            .step_by(together)
            .flat_map(move |head| (0..length).step_by(BLOCK).map(move |first| (head..end.min(head + together), first)))
    }

    /// Queries, keys and values of one head.
    #[inline(always)]
    pub(super) fn operands(self, task: &Task, head: usize) -> [Rows<W>; 3] {
        let (hidden, head_dim) = (self.shape.hidden(), self.shape.head_dim);
        let stride = W::stride(3 * hidden);
        let rows = &self.qkv[task.from * stride..][..task.length * stride];
        [0, 1, 2].map(|part| Rows {
            at: rows[(part * hidden + head * head_dim) / W::GROUP..].as_ptr(),
            stride,
            rows: task.length,
            columns: head_dim / W::GROUP,
        })
    }
}

/// Some queries of some heads: `[keys, heads, lanes]` scores.
pub(super) struct Block<'a, W> {
    layer: Layer<'a, W>,
    task: &'a Task,
    pub(super) heads: Range<usize>,
    /// The first query, counted in the sequence.
    pub(super) first: usize,
    /// Queries of each head.
    pub(super) count: usize,
    /// `count`, up to whole vectors.
    lanes: usize,
    /// Keys of the dropout streams of all lanes.
    streams: Option<(Dropout, [[u32; BLOCK]; 2])>,
}

impl<'a, W: Operand> Block<'a, W> {
    /// The block of `heads` and the queries from `first`, for vectors of `width`.
    pub(super) fn new(layer: Layer<'a, W>, task: &'a Task, heads: Range<usize>, first: usize, width: usize) -> Self {
        let count = BLOCK.min(task.length - first);
        let lanes = count.next_multiple_of(width);
        let mut block = Self { layer, task, heads, first, count, lanes, streams: None };
        block.streams = layer.dropout.map(|dropout| {
            let mut keys = [[0; BLOCK]; 2];
            for head in block.heads.clone() {
                for query in 0..count {
                    let lane = block.lane(head) + query;
                    [keys[0][lane], keys[1][lane]] = dropout.part_key(block.slot(head, query) as u32);
                }
            }
            (dropout, keys)
        });
        block
    }

    /// Lanes of all heads: from one key's scores to the next's.
    pub(super) fn stride(&self) -> usize {
        self.heads.len() * self.lanes
    }

    /// Row of `lse`, and stream of dropout, of a query of the block.
    pub(super) fn slot(&self, head: usize, query: usize) -> usize {
        (self.task.from + self.first + query) * self.layer.shape.heads + head
    }

    /// Head of the vector at `lane`, its first query and how many of the block's there are in it.
    pub(super) fn queries_of<S: Lanes>(&self, lane: usize) -> (usize, usize, usize) {
        let (head, query) = (self.heads.start + lane / self.lanes, lane % self.lanes);
        (head, query, (self.count - query).min(S::WIDTH))
    }

    /// Lane of a head's first query.
    pub(super) fn lane(&self, head: usize) -> usize {
        (head - self.heads.start) * self.lanes
    }

    /// Factors of the probabilities of key `j` for the queries from `lane`.
    #[inline(always)]
    fn factors<S: Lanes>(&self, s: S, j: usize, lane: usize) -> Option<S::V> {
        let (dropout, [first, second]) = self.streams.as_ref()?;
        let keys = [first[lane..][..S::WIDTH].as_ptr(), second[lane..][..S::WIDTH].as_ptr()];
        // SAFETY: the slices just taken.
        Some(unsafe { s.factors(*dropout, j as u32, keys) })
    }

    /// `x` of key `j` for the queries from `lane` times its factors.
    #[inline(always)]
    fn dropped<S: Lanes>(&self, s: S, j: usize, lane: usize, x: S::V) -> S::V {
        match self.factors(s, j, lane) {
            Some(factors) => s.mul(x, factors),
            None => x,
        }
    }

    /// Products of all keys' `rows` with the block's `queries` of one head, into that head's lanes of `out`.
    ///
    /// # Safety
    /// The operands are readable.
    #[inline(always)]
    pub(super) unsafe fn scores<S: Products<W>>(
        &self,
        s: S,
        head: usize,
        rows: Rows<W>,
        queries: Rows<W>,
        transposed: &mut [f32],
        out: &mut [f32],
    ) {
        let stride = self.stride();
        assert!(out.len() >= rows.rows * stride, "room for the scores");
        // SAFETY: the operands are readable as the caller promises, the scratch was checked.
        unsafe {
            queries.transpose(s, transposed);
            s.enter(Product {
                rows: rows.rows,
                depth: rows.columns,
                columns: self.lanes,
                a: rows.at,
                a_row: rows.stride,
                a_column: 1,
                b: transposed.as_ptr().cast(),
                b_row: self.lanes,
                out: out.as_mut_ptr().add(self.lane(head)),
                out_row: stride,
                accumulate: false,
            });
        }
    }

    /// Turns the scores of the vector of queries at `lane` into dropped probabilities, in words along the keys; returns the
    /// log of each sum of exponentials.
    #[inline(always)]
    pub(super) fn softmax<S: Products<W>>(&self, s: S, lane: usize, scores: &mut [f32]) -> [f32; 16] {
        let (keys, stride) = (self.task.length, self.stride());
        let at = scores[lane..][..(keys - 1) * stride + S::WIDTH].as_mut_ptr();
        let (mut max, mut sum) = (s.splat(f32::NEG_INFINITY), s.splat(0.0));
        let (mut maxima, mut sums) = ([0f32; 16], [1f32; 16]);
        // SAFETY: the extent was checked.
        unsafe {
            for j in 0..keys {
                max = s.max(max, s.load(at.add(j * stride)));
            }
            // Powers of 2 rather than of e: the scores' scale takes the factor in.
            let scale = s.splat(self.layer.shape.scale() * LOG2_E);
            max = s.mul(max, scale);
            for j in 0..keys {
                let power = s.exp2(s.mul_sub(s.load(at.add(j * stride)), scale, max));
                sum = s.add(sum, power);
                s.store(power, at.add(j * stride));
            }
            let inverse = s.div(s.splat(1.0), sum);
            for j in (0..keys).step_by(W::GROUP) {
                let mut terms = [self.dropped(s, j, lane, s.mul(s.load(at.add(j * stride)), inverse)), s.splat(0.0)];
                if W::GROUP > 1 && j + 1 < keys {
                    terms[1] = self.dropped(s, j + 1, lane, s.mul(s.load(at.add((j + 1) * stride)), inverse));
                }
                // In the place of the first word's scores or of earlier ones.
                s.store(s.words(terms), at.add(j / W::GROUP * stride));
            }
            s.store(max, maxima.as_mut_ptr());
            s.store(sum, sums.as_mut_ptr());
        }
        let mut logs = [0f32; 16];
        for (log, (max, sum)) in logs.iter_mut().zip(maxima.iter().zip(sums)) {
            *log = max * LN_2 + vecmath::ln(sum);
        }
        logs
    }

    /// Where dropped probabilities and the gradients of scores lie in words along the queries, [`Block::stride`] numbers a key:
    /// in `across`, but for gradients whose words are the same both ways.
    #[inline(always)]
    pub(super) fn across(gradients: *mut f32, across: &mut [f32]) -> [*mut W; 2] {
        let half = across.len() / 2;
        let dropped = across.as_mut_ptr();
        let gradients = if W::GROUP > 1 { dropped.wrapping_add(half) } else { gradients };
        [dropped.cast(), gradients.cast()]
    }

    /// From the scores of the vector of queries at `lane` and the gradients of dropped probabilities to dropped
    /// probabilities and the gradients of scores, dS = P∘(dP − D)·scale with D = Σⱼ Pⱼ·dPⱼ: the latter in words along the keys
    /// in `gradients`, both in words along the queries where [`Block::across`] says.
    #[inline(always)]
    pub(super) fn softmax_backward<S: Products<W>>(
        &self,
        s: S,
        lane: usize,
        lse: &[f32],
        probabilities: &mut [f32],
        gradients: &mut [f32],
        across: &mut [f32],
    ) {
        let (keys, stride) = (self.task.length, self.stride());
        assert!([&probabilities, &gradients].iter().all(|scores| scores.len() >= keys * stride), "all scores");
        assert!(across.len() >= (keys + 1) * stride && lane + S::WIDTH <= stride, "room for words along the queries");
        let [p_at, dp_at] = [probabilities, gradients].map(|scores| scores.as_mut_ptr());
        let [kept_at, ds_at] = Self::across(dp_at, across).map(|at| at.wrapping_add(lane / W::GROUP));
        let (head, query, count) = self.queries_of::<S>(lane);
        // Lanes beyond the last query are copies of it.
        let mut sums = [0f32; 16];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = lse[self.slot(head, query + i.min(count - 1))];
        }
        // SAFETY: the extents were checked.
        unsafe {
            let [p_at, dp_at] = [p_at, dp_at].map(|scores| scores.add(lane));
            let sums = s.mul(s.load(sums.as_ptr()), s.splat(LOG2_E));
            let scale = self.layer.shape.scale();
            let (to_power, scale) = (s.splat(scale * LOG2_E), s.splat(scale));
            let mut mean = s.splat(0.0);
            for j in 0..keys {
                let [p_at, dp_at] = [p_at, dp_at].map(|column| column.add(j * stride));
                let p = s.exp2(s.mul_sub(s.load(p_at), to_power, sums));
                let (mut dp, mut kept) = (s.load(dp_at), p);
                if let Some(factors) = self.factors(s, j, lane) {
                    (dp, kept) = (s.mul(dp, factors), s.mul(p, factors));
                    s.store(dp, dp_at);
                }
                s.store(p, p_at);
                s.store_across(kept, kept_at.add(j * stride / W::GROUP));
                mean = s.mul_add(p, dp, mean);
            }
            for j in (0..keys).step_by(W::GROUP) {
                let [p, dp] = [p_at, dp_at].map(|column| s.load(column.add(j * stride)));
                let mut terms = [s.mul(s.mul(p, scale), s.sub(dp, mean)), s.splat(0.0)];
                if W::GROUP > 1 && j + 1 < keys {
                    let [p, dp] = [p_at, dp_at].map(|column| s.load(column.add((j + 1) * stride)));
                    terms[1] = s.mul(s.mul(p, scale), s.sub(dp, mean));
                }
                let rows = [j, j + 1].map(|j| ds_at.wrapping_add(j * stride / W::GROUP));
                s.store_both_ways(terms, dp_at.add(j / W::GROUP * stride).cast(), rows);
            }
        }
    }
}
