//! The heads of BERT, RoBERTa and ELECTRA: the first token through a dense layer with activation, dropout, and a linear
//! layer to the outputs. BERT calls the dense layer its pooler; RoBERTa and ELECTRA also drop out before it.

use gyeol_kernels::Activation;

use crate::device::{Act, Device, LinearParams};
use crate::pass::{DropoutStream, Planner, Site};

/// A classification (or regression) head's parameters.
#[derive(Debug, Clone)]
pub(crate) struct ClassificationHead {
    pub(crate) dense: LinearParams,
    pub(crate) activation: Activation,
    pub(crate) out: LinearParams,
    pub(crate) input_dropout: bool,
    pub(crate) dropout: f32,
}

/// What the backward pass reads, gradients of the same shapes, and the result `outputs`, `[sequences, outputs]`.
#[derive(Debug, Clone)]
pub(crate) struct HeadActs {
    before: Act,
    hidden: Act,
    pub(crate) outputs: Act,
    /// The gradient of `outputs`, written by the loss.
    pub(crate) doutputs: Act,
    dhidden: Act,
    recomputed: Act,
}

impl ClassificationHead {
    pub(crate) fn plan(&self, planner: &mut Planner, sequences: usize, training: bool) -> HeadActs {
        let (hidden, outputs) = (self.dense.shape.inputs, self.out.shape.outputs);
        let before = planner.act(sequences * hidden);
        let activated = planner.act(sequences * hidden);
        let result = planner.act(sequences * outputs);
        let mut gradient = |width: usize| if training { planner.act(sequences * width) } else { Act::default() };
        HeadActs {
            before,
            hidden: activated,
            outputs: result,
            doutputs: gradient(outputs),
            dhidden: gradient(hidden),
            recomputed: gradient(hidden),
        }
    }

    fn sites(&self, stream: Option<DropoutStream>) -> [Option<gyeol_kernels::Dropout>; 2] {
        let site = |site| stream.and_then(|stream| stream.site(0, site, self.dropout));
        [if self.input_dropout { site(Site::HeadInput) } else { None }, site(Site::HeadHidden)]
    }

    /// From the encoder's output for the first token of each sequence, `x` `[sequences, hidden]`, which dropout changes
    /// in place.
    pub(crate) fn forward<D: Device>(&self, d: &mut D, x: Act, acts: &HeadActs, stream: Option<DropoutStream>) {
        let [input, hidden] = self.sites(stream);
        if let Some(dropout) = input {
            d.dropout(dropout, x);
        }
        d.linear_activation(&self.dense, self.activation, x, acts.before, acts.hidden);
        if let Some(dropout) = hidden {
            d.dropout(dropout, acts.hidden);
        }
        d.linear(&self.out, acts.hidden, acts.outputs);
    }

    /// From the gradient in `acts.doutputs` to that of `x`, in `dx`.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &HeadActs,
        dx: Act,
        stream: Option<DropoutStream>,
    ) {
        let [input, hidden] = self.sites(stream);
        let dx = dx.rows(1, x.span.len);
        d.linear_backward_weight(&self.out, acts.doutputs, acts.hidden);
        d.linear_backward_input(&self.out, acts.doutputs, acts.dhidden, false);
        if let Some(dropout) = hidden {
            d.dropout(dropout, acts.dhidden);
        }
        d.activation_backward(self.activation, acts.before, acts.dhidden, acts.recomputed);
        d.linear_backward_weight(&self.dense, acts.dhidden, x);
        d.linear_backward_input(&self.dense, acts.dhidden, dx, false);
        if let Some(dropout) = input {
            d.dropout(dropout, dx);
        }
    }
}
