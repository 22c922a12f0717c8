//! The table of a model's parameters: every tensor's checkpoint name, shape, place in the arena and role.

use gyeol_kernels::{Linear, Span};

use crate::device::{Exactness, LinearParams, Param};

/// How a parameter starts when no checkpoint gives it, and whether weight decay applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Drawn from a normal distribution; decayed.
    Weight,
    /// As [`Role::Weight`], one row (the padding token's) zero.
    Embedding {
        /// The zero row.
        padding_row: Option<usize>,
    },
    /// Zeros; not decayed.
    Bias,
    /// The scale of a LayerNorm, ones; not decayed.
    NormScale,
    /// The shift of a LayerNorm, zeros; not decayed.
    NormShift,
}

impl Role {
    /// Whether weight decay applies: everything but biases and LayerNorm, as Hugging Face's Trainer does.
    pub fn decays(self) -> bool {
        matches!(self, Role::Weight | Role::Embedding { .. })
    }
}

/// One tensor of the model.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Its name in a checkpoint, such as `bert.encoder.layer.0.output.dense.weight`.
    pub name: String,
    /// Its dimensions, as the checkpoint stores them.
    pub shape: Vec<usize>,
    /// Its place in the arenas.
    pub span: Span,
    /// Its role.
    pub role: Role,
    /// The part of the model it belongs to.
    pub part: Part,
}

/// What a checkpoint must have of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// It must be there.
    #[default]
    Encoder,
    /// A base checkpoint may lack it.
    Head,
    /// As [`Part::Head`]; it may also be for another number of labels.
    Output,
}

/// All tensors in the order of the arena.
#[derive(Debug, Clone, Default)]
pub struct ParamTable {
    tensors: Vec<Tensor>,
    linears: Vec<LinearParams>,
    part: Part,
}

impl ParamTable {
    /// Tensors added from now on belong to `part`.
    pub fn begin(&mut self, part: Part) {
        self.part = part;
    }

    /// Appends a tensor. Its elements can be counted: whoever reads a configuration bounds the sizes it names.
    pub fn add(&mut self, name: String, shape: &[usize], role: Role) -> Param {
        let span = Span::new(self.len(), shape.iter().product());
        self.tensors.push(Tensor { name, shape: shape.to_vec(), span, role, part: self.part });
        Param(span)
    }

    /// Makes a linear layer of a weight and a bias already added: in the encoder in the device's operands, in a head exact.
    pub fn linear(&mut self, shape: Linear, weight: Param, bias: Param) -> LinearParams {
        let exactness = if self.part == Part::Encoder { Exactness::Device } else { Exactness::Single };
        self.linear_in(exactness, shape, weight, bias)
    }

    /// As [`ParamTable::linear`], of a stated exactness.
    pub fn linear_in(&mut self, exactness: Exactness, shape: Linear, weight: Param, bias: Param) -> LinearParams {
        let linear = LinearParams { index: self.linears.len(), shape, weight, bias, exactness };
        self.linears.push(linear);
        linear
    }

    /// Every linear layer in the order of the arena.
    pub fn linears(&self) -> &[LinearParams] {
        &self.linears
    }

    /// Scalars in all tensors together.
    pub fn len(&self) -> usize {
        self.tensors.last().map_or(0, |last| last.span.end())
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The tensors in order.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The arena from `start` on, where a tensor starts, cut into the longest runs of tensors of which `key` says the same.
    pub fn runs<K: PartialEq>(&self, start: usize, key: impl Fn(&Tensor) -> K) -> Vec<(Span, K)> {
        let mut runs: Vec<(Span, K)> = Vec::new();
        for tensor in self.tensors.iter().filter(|tensor| tensor.span.start >= start) {
            match (runs.last_mut(), key(tensor)) {
                (Some((run, of_run)), key) if *of_run == key => run.len += tensor.span.len,
                (_, key) => runs.push((tensor.span, key)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_the_arena_and_split_where_the_key_changes() {
        let mut table = ParamTable::default();
        table.add("a".into(), &[2, 3], Role::Weight);
        table.add("b".into(), &[4], Role::Weight);
        table.add("c".into(), &[2], Role::Bias);
        table.add("d".into(), &[1], Role::NormScale);
        table.add("e".into(), &[5], Role::Embedding { padding_row: Some(0) });
        let want = [(Span::new(0, 10), true), (Span::new(10, 3), false), (Span::new(13, 5), true)];
        let runs = |start| table.runs(start, |tensor| tensor.role.decays());
        assert_eq!(runs(0), want);
        assert_eq!(runs(6), [(Span::new(6, 4), true), want[1], want[2]]);
        assert_eq!(runs(18), []);
        assert_eq!(table.len(), 18);
    }
}
