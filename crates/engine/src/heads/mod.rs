//! What turns the encoder's output into the task's: one file a head.

mod bi_encoder;
mod classification;
mod masked_lm;
mod mlp;
mod pooling;
mod sequence;

use crate::config::{HeadActivation, Pooling};
use crate::device::LinearParams;

pub(crate) use bi_encoder::BiEncoderHead;
pub(crate) use classification::ClassificationHead;
pub(crate) use masked_lm::{MaskedLmActs, MaskedLmHead};
pub(crate) use mlp::MlpHead;
pub(crate) use pooling::Pooled;
pub(crate) use sequence::{SequenceActs, SequenceHead};

/// Which head a model has.
#[derive(Debug, Clone, PartialEq)]
pub enum HeadKind {
    /// The architecture's own for sequences: so many outputs of the first token.
    Classification {
        /// How many.
        outputs: usize,
    },
    /// Dense layers over pooled tokens.
    Mlp(MlpShape),
    /// The cosine of two pooled texts: a row has two sequences, and one output in [-1, 1].
    BiEncoder {
        /// How the tokens of each become one vector.
        pooling: Pooling,
    },
    /// The architecture's own for masked language models: the vocabulary at any token.
    MaskedLm,
}

/// The shape of a head of dense layers.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpShape {
    /// How the tokens of a sequence become one vector.
    pub pooling: Pooling,
    /// Widths of the hidden layers, from the encoder up; none: a linear head.
    pub widths: Vec<usize>,
    /// What follows each of them.
    pub activation: HeadActivation,
    /// Dropout probability before each layer, 0 ≤ p < 1.
    pub dropout: f32,
    /// Outputs of a row.
    pub outputs: usize,
}

/// A head's parameters.
#[derive(Debug)]
pub(crate) enum Head {
    Sequence(SequenceHead),
    MaskedLm(MaskedLmHead),
}

impl Head {
    /// The head for sequences.
    ///
    /// # Panics
    /// If it is another: which one a model has is decided where it is made.
    pub(crate) fn sequence(&self) -> &SequenceHead {
        match self {
            Head::Sequence(head) => head,
            Head::MaskedLm(_) => panic!("a masked language model has no outputs for a sequence"),
        }
    }

    /// The head of a masked language model.
    ///
    /// # Panics
    /// If it is another.
    pub(crate) fn masked_lm(&self) -> &MaskedLmHead {
        match self {
            Head::MaskedLm(head) => head,
            Head::Sequence(_) => panic!("a classifier fills in no tokens"),
        }
    }

    /// The first layer, whose parameters come first in the arenas; none where nothing of the head trains.
    pub(crate) fn first_layer(&self) -> Option<LinearParams> {
        match self {
            Head::Sequence(head) => head.first_layer(),
            Head::MaskedLm(head) => Some(head.dense),
        }
    }
}
