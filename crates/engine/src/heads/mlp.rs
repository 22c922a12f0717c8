//! Dense layers over pooled tokens: any number of hidden ones, each [dropout, linear, activation], then dropout and a linear
//! layer to the outputs. Without hidden layers it is the linear head; one as wide as the encoder is RoBERTa's.

use gyeol_kernels::Activation;

use super::pooling::{Pooled, PooledActs};
use crate::device::{Act, Device, LinearParams};
use crate::pass::{DropoutStream, Planner, Site};

/// The parameters of a head of dense layers.
#[derive(Debug, Clone)]
pub(crate) struct MlpHead {
    pub(crate) pooled: Pooled,
    pub(crate) hidden: Vec<LinearParams>,
    pub(crate) activation: Activation,
    pub(crate) out: LinearParams,
    /// Before each layer.
    pub(crate) dropout: f32,
}

/// What the backward pass reads, gradients of the same shapes, and the result `outputs`, `[sequences, outputs]`.
#[derive(Debug, Clone)]
pub(crate) struct MlpActs {
    pooled: PooledActs,
    hidden: Vec<HiddenActs>,
    pub(crate) outputs: Act,
    /// The gradient of `outputs`, written by the loss.
    pub(crate) doutputs: Act,
}

#[derive(Debug, Clone, Copy)]
struct HiddenActs {
    before: Act,
    out: Act,
    /// The gradient of `out`, then that of `before`.
    gradient: Act,
    recomputed: Act,
}

impl MlpHead {
    pub(crate) fn plan(&self, planner: &mut Planner, sequences: usize, training: bool) -> MlpActs {
        let pooled = self.pooled.plan(planner, sequences, training);
        let mut room = |width: usize, needed: bool| {
            if needed { planner.act(sequences * width) } else { Act::default() }
        };
        let hidden = self.hidden.iter().map(|layer| layer.shape.outputs).map(|width| HiddenActs {
            before: room(width, true),
            out: room(width, true),
            gradient: room(width, training),
            recomputed: room(width, training),
        });
        let hidden = hidden.collect();
        let outputs = self.out.shape.outputs;
        MlpActs { pooled, hidden, outputs: room(outputs, true), doutputs: room(outputs, training) }
    }

    /// Drops out, in place, values or gradients of what layer `layer` reads, the output layer being the last.
    fn drop_out<D: Device>(&self, d: &mut D, layer: usize, x: Act, stream: Option<DropoutStream>) {
        if let Some(dropout) = stream.and_then(|stream| stream.site(layer, Site::HeadInput, self.dropout)) {
            d.dropout(dropout, x);
        }
    }

    /// From the encoder's output `x`, which dropout changes in place where it is not pooled.
    pub(crate) fn forward<D: Device>(&self, d: &mut D, x: Act, acts: &MlpActs, stream: Option<DropoutStream>) {
        let mut input = self.pooled.forward(d, x, acts.pooled);
        for (index, (layer, hidden)) in self.hidden.iter().zip(&acts.hidden).enumerate() {
            self.drop_out(d, index, input, stream);
            d.linear_activation(layer, self.activation, input, hidden.before, hidden.out);
            input = hidden.out;
        }
        self.drop_out(d, self.hidden.len(), input, stream);
        d.linear(&self.out, input, acts.outputs);
    }

    /// From the gradient in `acts.doutputs` to that of `x`, in `dx`.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &MlpActs,
        dx: Act,
        stream: Option<DropoutStream>,
    ) {
        let (vectors, dvectors) = (self.pooled.vectors(x, acts.pooled), self.pooled.gradient(acts.pooled, dx));
        // What a layer reads, and where its gradient goes.
        let input = |layer: usize| match layer.checked_sub(1) {
            Some(below) => (acts.hidden[below].out, acts.hidden[below].gradient),
            None => (vectors, dvectors),
        };
        let through = |d: &mut D, index: usize, layer: &LinearParams, gradient: Act| {
            let (values, dvalues) = input(index);
            d.linear_backward_weight(layer, gradient, values);
            d.linear_backward_input(layer, gradient, dvalues, false);
            self.drop_out(d, index, dvalues, stream);
        };
        through(d, self.hidden.len(), &self.out, acts.doutputs);
        for (index, (layer, hidden)) in self.hidden.iter().zip(&acts.hidden).enumerate().rev() {
            d.activation_backward(self.activation, hidden.before, hidden.gradient, hidden.recomputed);
            through(d, index, layer, hidden.gradient);
        }
        self.pooled.backward(d, x, acts.pooled, dx);
    }
}
