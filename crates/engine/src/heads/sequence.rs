//! The heads that give outputs for each row, as one: which they are, and what the passes of a model ask of any of them.

use super::bi_encoder::{BiEncoderActs, BiEncoderHead};
use super::classification::{ClassificationHead, HeadActs};
use super::mlp::{MlpActs, MlpHead};
use crate::config::Pooling;
use crate::device::{Act, Device, LinearParams};
use crate::pass::{DropoutStream, Planner};

/// The parameters of a head that gives outputs for each row.
#[derive(Debug)]
pub(crate) enum SequenceHead {
    Classification(ClassificationHead),
    Mlp(MlpHead),
    BiEncoder(BiEncoderHead),
}

/// What it leaves in a pass.
#[derive(Debug)]
pub(crate) enum SequenceActs {
    Classification(HeadActs),
    Mlp(MlpActs),
    BiEncoder(BiEncoderActs),
}

/// What is said of acts of another head: which acts a head gets is decided by its own plan.
const OTHER: &str = "a head is run on what it has planned";

impl SequenceHead {
    /// What of each sequence it reads.
    pub(crate) fn pooling(&self) -> Pooling {
        match self {
            Self::Classification(_) => Pooling::Cls,
            Self::Mlp(head) => head.pooled.pooling,
            Self::BiEncoder(head) => head.pooled.pooling,
        }
    }

    /// Sequences of one row.
    pub(crate) fn sequences(&self) -> usize {
        match self {
            Self::Classification(_) | Self::Mlp(_) => 1,
            Self::BiEncoder(_) => 2,
        }
    }

    /// Outputs of one row.
    pub(crate) fn outputs(&self) -> usize {
        match self {
            Self::Classification(head) => head.out.shape.outputs,
            Self::Mlp(head) => head.out.shape.outputs,
            Self::BiEncoder(_) => 1,
        }
    }

    /// The first of its layers, if it has any.
    pub(crate) fn first_layer(&self) -> Option<LinearParams> {
        match self {
            Self::Classification(head) => Some(head.dense),
            Self::Mlp(head) => Some(*head.hidden.first().unwrap_or(&head.out)),
            Self::BiEncoder(_) => None,
        }
    }

    /// The layer that gives the outputs, if one does.
    pub(crate) fn last_layer(&self) -> Option<LinearParams> {
        match self {
            Self::Classification(head) => Some(head.out),
            Self::Mlp(head) => Some(head.out),
            Self::BiEncoder(_) => None,
        }
    }

    pub(crate) fn plan(&self, planner: &mut Planner, sequences: usize, training: bool) -> SequenceActs {
        match self {
            Self::Classification(head) => SequenceActs::Classification(head.plan(planner, sequences, training)),
            Self::Mlp(head) => SequenceActs::Mlp(head.plan(planner, sequences, training)),
            Self::BiEncoder(head) => SequenceActs::BiEncoder(head.plan(planner, sequences, training)),
        }
    }

    /// From the encoder's output `x` `[sequences or tokens, hidden]`, which dropout may change in place.
    pub(crate) fn forward<D: Device>(&self, d: &mut D, x: Act, acts: &SequenceActs, stream: Option<DropoutStream>) {
        match (self, acts) {
            (Self::Classification(head), SequenceActs::Classification(acts)) => head.forward(d, x, acts, stream),
            (Self::Mlp(head), SequenceActs::Mlp(acts)) => head.forward(d, x, acts, stream),
            (Self::BiEncoder(head), SequenceActs::BiEncoder(acts)) => head.forward(d, x, acts),
            _ => unreachable!("{OTHER}"),
        }
    }

    /// From the gradient of the outputs to that of `x`, in `dx`.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &SequenceActs,
        dx: Act,
        stream: Option<DropoutStream>,
    ) {
        match (self, acts) {
            (Self::Classification(head), SequenceActs::Classification(acts)) => head.backward(d, x, acts, dx, stream),
            (Self::Mlp(head), SequenceActs::Mlp(acts)) => head.backward(d, x, acts, dx, stream),
            (Self::BiEncoder(head), SequenceActs::BiEncoder(acts)) => head.backward(d, x, acts, dx),
            _ => unreachable!("{OTHER}"),
        }
    }
}

impl SequenceActs {
    /// `[rows, outputs]`.
    pub(crate) fn outputs(&self) -> Act {
        match self {
            Self::Classification(acts) => acts.outputs,
            Self::Mlp(acts) => acts.outputs,
            Self::BiEncoder(acts) => acts.outputs,
        }
    }

    /// Their gradient, written by the loss.
    pub(crate) fn doutputs(&self) -> Act {
        match self {
            Self::Classification(acts) => acts.doutputs,
            Self::Mlp(acts) => acts.doutputs,
            Self::BiEncoder(acts) => acts.doutputs,
        }
    }
}
