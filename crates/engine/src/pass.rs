//! What one pass through the layers carries along: where activations go, and which dropout applies.

use gyeol_kernels::{Dropout, Span};

use crate::device::{Act, Device, Kept};
use crate::random::mix;

/// Hands out places in the activation arena, each starting on a cache line.
#[derive(Debug)]
pub(crate) struct Planner {
    top: usize,
    /// Whether what products read is kept rounded.
    rounds: bool,
}

impl Planner {
    /// Places for a pass on `device`.
    pub(crate) fn new<D: Device>(device: &D) -> Self {
        Self { top: 0, rounds: device.rounds() }
    }

    /// Room for `len` numbers.
    pub(crate) fn act(&mut self, len: usize) -> Act {
        let span = Span::new(self.top, len);
        self.top += len.next_multiple_of(16);
        Act::single(span)
    }

    /// Room for `rows` of `width` that only products of linear layers and of attention read.
    pub(crate) fn operand(&mut self, rows: usize, width: usize) -> Act {
        if !self.rounds {
            return self.act(rows * width);
        }
        Act { kept: Kept::Rounded(width), ..self.act(rows * Act::rounded_row(width)) }
    }

    /// Room for `rows` of `width` that products of linear layers read, and others.
    pub(crate) fn both(&mut self, rows: usize, width: usize) -> Act {
        let values = self.act(rows * width);
        if !self.rounds {
            return values;
        }
        debug_assert_eq!(values.end_of_values(), self.top, "the rounded rows follow");
        self.act(rows * Act::rounded_row(width));
        Act { kept: Kept::Both(width), ..values }
    }

    /// Numbers handed out so far.
    pub(crate) fn len(&self) -> usize {
        self.top
    }
}

/// The source of dropout in one training pass: a function of seed and pass number, so that nothing has to be stored.
#[derive(Debug, Clone, Copy)]
pub struct DropoutStream {
    key: u64,
}

impl DropoutStream {
    /// The stream of forward pass number `pass` of a run.
    pub fn new(seed: u64, pass: u64) -> Self {
        Self { key: mix(mix(seed) ^ pass) }
    }

    /// The stream of the model of this index among those trained together: the first has that of a model alone.
    pub(crate) fn of_member(self, index: usize) -> Self {
        if index == 0 { self } else { Self { key: mix(self.key ^ mix(index as u64)) } }
    }

    /// The dropout of one site of one layer; `None` where `p` is 0.
    pub(crate) fn site(self, layer: usize, site: Site, p: f32) -> Option<Dropout> {
        Dropout::new(p, mix(self.key ^ ((layer as u64) << 8 | site as u64)))
    }
}

/// Where in a layer dropout applies.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Site {
    Embeddings,
    Attention,
    AttentionOutput,
    FeedForwardOutput,
    HeadInput,
    HeadHidden,
}
