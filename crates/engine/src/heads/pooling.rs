//! The tokens of each sequence as one vector, and the way back: what heads over pooled tokens begin with.

use gyeol_kernels::Pool;

use crate::config::Pooling;
use crate::device::{Act, Device};
use crate::pass::Planner;

/// Pooling of the encoder's output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pooled {
    pub(crate) pooling: Pooling,
    /// Of the encoder's output.
    pub(crate) width: usize,
}

/// The pooled vectors `[sequences, width]` and their gradient, where they are not the encoder's output itself: of `cls` the
/// last block puts out nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PooledActs {
    sequences: usize,
    vectors: Act,
    gradient: Act,
}

impl Pooled {
    fn kernel(self) -> Option<Pool> {
        match self.pooling {
            Pooling::Cls => None,
            Pooling::Mean => Some(Pool::Mean),
            Pooling::Max => Some(Pool::Max),
        }
    }

    pub(crate) fn plan(self, planner: &mut Planner, sequences: usize, training: bool) -> PooledActs {
        let mut room = |needed: bool| if needed { planner.act(sequences * self.width) } else { Act::default() };
        let pools = self.kernel().is_some();
        PooledActs { sequences, vectors: room(pools), gradient: room(pools && training) }
    }

    /// From the encoder's output `x`; returns the vectors.
    pub(crate) fn forward<D: Device>(self, d: &mut D, x: Act, acts: PooledActs) -> Act {
        if let Some(pool) = self.kernel() {
            d.pool(pool, x, self.width, acts.vectors);
        }
        self.vectors(x, acts)
    }

    /// The vectors that the last forward pass left.
    pub(crate) fn vectors(self, x: Act, acts: PooledActs) -> Act {
        if self.kernel().is_some() { acts.vectors } else { x }
    }

    /// Where the gradient of the vectors goes, for [`Pooled::backward`] to take on to `dx`.
    pub(crate) fn gradient(self, acts: PooledActs, dx: Act) -> Act {
        if self.kernel().is_some() { acts.gradient } else { dx.rows(acts.sequences, self.width) }
    }

    /// From the gradient of the vectors to that of `x`.
    pub(crate) fn backward<D: Device>(self, d: &mut D, x: Act, acts: PooledActs, dx: Act) {
        if let Some(pool) = self.kernel() {
            d.pool_backward(pool, x, acts.gradient, self.width, dx.rows(1, x.span.len));
        }
    }
}
