//! What turns the encoder's output into the task's: one file a head.

mod classification;
mod masked_lm;

use crate::device::LinearParams;

pub(crate) use classification::{ClassificationHead, HeadActs};
pub(crate) use masked_lm::{MaskedLmActs, MaskedLmHead};

/// Which head a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// The architecture's own for sequences: so many outputs of the first token.
    Classification {
        /// How many.
        outputs: usize,
    },
    /// The architecture's own for masked language models: the vocabulary at any token.
    MaskedLm,
}

/// A head's parameters.
#[derive(Debug)]
pub(crate) enum Head {
    Classification(ClassificationHead),
    MaskedLm(MaskedLmHead),
}

impl Head {
    /// The head for sequences.
    ///
    /// # Panics
    /// If it is another: which one a model has is decided where it is made.
    pub(crate) fn classification(&self) -> &ClassificationHead {
        match self {
            Head::Classification(head) => head,
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
            Head::Classification(_) => panic!("a classifier fills in no tokens"),
        }
    }

    /// The first layer, whose parameters come first in the arenas.
    pub(crate) fn first_layer(&self) -> LinearParams {
        match self {
            Head::Classification(head) => head.dense,
            Head::MaskedLm(head) => head.dense,
        }
    }
}
