//! The cosine of two texts that went through the encoder each on its own (Reimers & Gurevych 2019, Sentence-BERT). Two
//! sequences that follow each other are a row; there is nothing to train beside the encoder.

use super::pooling::{Pooled, PooledActs};
use crate::device::{Act, Device};
use crate::pass::Planner;

/// The head that compares two texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BiEncoderHead {
    pub(crate) pooled: Pooled,
}

/// The pooled texts, and the result `outputs`, one cosine a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BiEncoderActs {
    pooled: PooledActs,
    pub(crate) outputs: Act,
    /// The gradient of `outputs`, written by the loss.
    pub(crate) doutputs: Act,
}

impl BiEncoderHead {
    pub(crate) fn plan(self, planner: &mut Planner, sequences: usize, training: bool) -> BiEncoderActs {
        let pooled = self.pooled.plan(planner, sequences, training);
        let outputs = planner.act(sequences / 2);
        let doutputs = if training { planner.act(sequences / 2) } else { Act::default() };
        BiEncoderActs { pooled, outputs, doutputs }
    }

    pub(crate) fn forward<D: Device>(self, d: &mut D, x: Act, acts: &BiEncoderActs) {
        let vectors = self.pooled.forward(d, x, acts.pooled);
        d.cosine(vectors, self.pooled.width, acts.outputs);
    }

    /// From the gradient in `acts.doutputs` to that of `x`, in `dx`.
    pub(crate) fn backward<D: Device>(self, d: &mut D, x: Act, acts: &BiEncoderActs, dx: Act) {
        let (vectors, dvectors) = (self.pooled.vectors(x, acts.pooled), self.pooled.gradient(acts.pooled, dx));
        d.cosine_backward(vectors, self.pooled.width, acts.doutputs, dvectors);
        self.pooled.backward(d, x, acts.pooled, dx);
    }
}
