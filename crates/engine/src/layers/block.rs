//! One encoder block: self-attention and feed-forward, each with dropout, residual and LayerNorm (post-norm).

use gyeol_kernels::{Activation, Heads};

use crate::device::{Act, Device, LinearParams, NormActs, NormParams};
use crate::pass::{DropoutStream, Planner, Site};

/// A block's parameters.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// Number of the block, the lowest being 0: keys its dropout.
    pub(crate) index: usize,
    pub(crate) heads: Heads,
    /// Query, key and value as one layer, `[3·hidden, hidden]`.
    pub(crate) qkv: LinearParams,
    pub(crate) attention_output: LinearParams,
    pub(crate) attention_norm: NormParams,
    pub(crate) up: LinearParams,
    pub(crate) activation: Activation,
    pub(crate) down: LinearParams,
    pub(crate) output_norm: NormParams,
    pub(crate) attention_dropout: f32,
    pub(crate) hidden_dropout: f32,
}

/// Which rows a block computes after attention.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows {
    /// Every token.
    All {
        /// How many there are.
        tokens: usize,
    },
    /// The first token of each sequence: all that the last block's reader looks at.
    First {
        /// Tokens that attention runs over.
        tokens: usize,
        /// Sequences, and so rows that come out.
        sequences: usize,
    },
    /// Tokens anywhere in the sequences, the reader's choice.
    Picked {
        /// Tokens that attention runs over.
        tokens: usize,
        /// Rows that come out.
        picked: usize,
    },
}

/// Who reads what comes out of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The block above, by products of the device's operands too.
    Block,
    /// The head, in single precision.
    Head,
}

/// What is below a block in the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// Something that trains: it needs the gradient of the block's input.
    Trained,
    /// Nothing that trains: the backward pass ends with the block's own parameters.
    Frozen,
}

impl Rows {
    /// Tokens that attention runs over.
    pub(crate) fn tokens(self) -> usize {
        match self {
            Rows::All { tokens } | Rows::First { tokens, .. } | Rows::Picked { tokens, .. } => tokens,
        }
    }

    /// Rows that come out.
    pub(crate) fn out(self) -> usize {
        match self {
            Rows::All { tokens } => tokens,
            Rows::First { sequences, .. } => sequences,
            Rows::Picked { picked, .. } => picked,
        }
    }

    /// Rows of [`Scratch::spread`].
    fn spread(self) -> usize {
        match self {
            Rows::All { .. } => 0,
            Rows::First { sequences, .. } => sequences,
            Rows::Picked { tokens, .. } => tokens,
        }
    }

    /// Tokens of which there are queries, keys and values.
    fn projected(self) -> usize {
        match self {
            Rows::All { tokens } | Rows::Picked { tokens, .. } => tokens,
            Rows::First { .. } => 0,
        }
    }
}

/// What a block's backward pass reads, and its result `out`, `[rows, hidden]`.
#[derive(Debug, Clone)]
pub(crate) struct BlockActs {
    rows: usize,
    attention: AttentionActs,
    attention_norm: NormActs,
    attended: Act,
    up: Act,
    output_norm: NormActs,
    pub(crate) out: Act,
}

/// How attention is computed, and what it leaves.
#[derive(Debug, Clone, Copy)]
enum AttentionActs {
    /// Over queries, keys and values of every token.
    Projected(Projected),
    /// For the first token of each sequence from the block's input. `room` is what that takes and leaves, `input` receives
    /// the first rows of the block's input.
    First { room: Act, context: Act, input: Act },
}

#[derive(Debug, Clone, Copy)]
struct Projected {
    qkv: Act,
    context: Act,
    lse: Act,
    /// The rows of `context` and of the block's input that the head reads, where only those go on.
    read: Option<(Act, Act)>,
}

/// Room that blocks take in turn: activated feed-forward values, and in training the gradients.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    /// Activated feed-forward values, `[rows, intermediate]`.
    activated: Act,
    /// The gradient running down the residual stream, `[rows, hidden]`.
    pub(crate) stream: Act,
    /// The gradient of what a norm adds to the residual stream, `[rows, hidden]`.
    branch: Act,
    residual: Act,
    wide: Act,
    qkv: Act,
    /// Where only some rows go on: the gradient of the context of every token, or room for those rows on their way back
    /// among all tokens.
    spread: Act,
}

impl Scratch {
    /// Places for blocks over `blocks` rows, one or more of them over each, whose stream has as many as `stream`.
    pub(crate) fn plan(
        planner: &mut Planner,
        blocks: &[Rows],
        stream: usize,
        shape: ScratchShape,
        training: bool,
    ) -> Self {
        let most = |rows: fn(Rows) -> usize| blocks.iter().map(|&block| rows(block)).max().unwrap_or(0);
        let (out, projected) = (most(Rows::out), most(Rows::projected));
        let activated = planner.operand(out, shape.intermediate);
        let mut operand =
            |rows: usize, width: usize| if training { planner.operand(rows, width) } else { Act::default() };
        let (branch, wide) = (operand(out, shape.hidden), operand(out, shape.intermediate));
        let qkv = operand(projected, 3 * shape.hidden);
        let mut gradient = |rows: usize| if training { planner.act(rows * shape.hidden) } else { Act::default() };
        Self {
            activated,
            stream: gradient(stream),
            branch,
            residual: gradient(out),
            wide,
            qkv,
            spread: gradient(most(Rows::spread)),
        }
    }
}

/// The widths that [`Scratch`] is planned for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScratchShape {
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
}

impl Block {
    /// Places for a pass over `which` rows. Without `training` nothing is kept that only a backward pass reads.
    pub(crate) fn plan(&self, planner: &mut Planner, which: Rows, reader: Reader, training: bool) -> BlockActs {
        let (hidden, tokens, rows) = (self.heads.hidden(), which.tokens(), which.out());
        let attention = match which {
            Rows::First { sequences, .. } => AttentionActs::First {
                room: planner.act(self.heads.first_scratch(tokens, sequences)),
                context: planner.act(rows * hidden),
                input: planner.act(rows * hidden),
            },
            Rows::All { .. } | Rows::Picked { .. } => AttentionActs::Projected(Projected {
                qkv: planner.operand(tokens, 3 * hidden),
                context: planner.operand(tokens, hidden),
                lse: planner.act(tokens * self.heads.heads),
                read: match which {
                    Rows::Picked { .. } => Some((planner.operand(rows, hidden), planner.act(rows * hidden))),
                    _ => None,
                },
            }),
        };
        let norm = |planner: &mut Planner| NormActs { x: planner.act(rows * hidden), rstd: planner.act(rows) };
        BlockActs {
            rows,
            attention,
            attention_norm: norm(planner),
            attended: planner.both(rows, hidden),
            up: if training { planner.operand(rows, self.up.shape.outputs) } else { Act::default() },
            output_norm: norm(planner),
            out: match reader {
                Reader::Block => planner.both(rows, hidden),
                Reader::Head => planner.act(rows * hidden),
            },
        }
    }

    pub(crate) fn forward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &BlockActs,
        scratch: &Scratch,
        stream: Option<DropoutStream>,
    ) {
        let site = |site, p| stream.and_then(|stream| stream.site(self.index, site, p));
        let dropout = site(Site::Attention, self.attention_dropout);
        let (context, residual) = match acts.attention {
            AttentionActs::Projected(projected) => {
                d.linear(&self.qkv, x, projected.qkv);
                d.attention(self.heads, projected.qkv, dropout, projected.context, projected.lse);
                if let Some((context, input)) = projected.read {
                    d.gather_read(projected.context, self.heads.hidden(), context);
                    d.gather_read(x.values(), self.heads.hidden(), input);
                }
                projected.read.unwrap_or((projected.context, x))
            }
            AttentionActs::First { room, context, input } => {
                d.attention_first(self.heads, &self.qkv, x, dropout, room, context);
                d.gather_read(x.values(), self.heads.hidden(), input);
                (context, input)
            }
        };
        let activated = scratch.activated.rows(acts.rows, self.up.shape.outputs);
        d.linear(&self.attention_output, context, acts.attention_norm.x);
        let dropout = site(Site::AttentionOutput, self.hidden_dropout);
        d.add_norm(&self.attention_norm, acts.attention_norm, Some(residual), dropout, acts.attended);
        d.linear_activation(&self.up, self.activation, acts.attended, acts.up, activated);
        d.linear(&self.down, activated, acts.output_norm.x);
        let dropout = site(Site::FeedForwardOutput, self.hidden_dropout);
        d.add_norm(&self.output_norm, acts.output_norm, Some(acts.attended), dropout, acts.out);
    }

    /// From the gradient of `out` in `scratch.stream` to the gradient of `x` in the same place, where something below
    /// needs it.
    pub(crate) fn backward<D: Device>(
        &self,
        d: &mut D,
        x: Act,
        acts: &BlockActs,
        scratch: &Scratch,
        stream: Option<DropoutStream>,
        below: Below,
    ) {
        let site = |site, p| stream.and_then(|stream| stream.site(self.index, site, p));
        let hidden = self.heads.hidden();
        let [dstream, branch, residual] =
            [scratch.stream, scratch.branch, scratch.residual].map(|act| act.rows(acts.rows, hidden));
        let [wide, activated] = [scratch.wide, scratch.activated].map(|act| act.rows(acts.rows, self.up.shape.outputs));

        let dropout = site(Site::FeedForwardOutput, self.hidden_dropout);
        d.add_norm_backward(&self.output_norm, acts.output_norm, dropout, dstream, branch, residual);
        d.linear_backward_activation(&self.down, self.activation, branch, acts.up, wide, activated);
        d.linear_backward_weight(&self.down, branch, activated);
        d.linear_backward_input(&self.up, wide, residual, true);
        d.linear_backward_weight(&self.up, wide, acts.attended);

        let dropout = site(Site::AttentionOutput, self.hidden_dropout);
        d.add_norm_backward(&self.attention_norm, acts.attention_norm, dropout, residual, branch, dstream);
        d.linear_backward_input(&self.attention_output, branch, residual, false);
        let dropout = site(Site::Attention, self.attention_dropout);
        match acts.attention {
            AttentionActs::Projected(Projected { qkv, context, lse, read }) => {
                d.linear_backward_weight(&self.attention_output, branch, read.map_or(context, |(context, _)| context));
                let dcontext = match read {
                    Some(_) => {
                        // Back among the rows of all tokens.
                        d.scatter_read(residual, hidden, scratch.spread);
                        self.spread(d, scratch, scratch.residual, acts.rows, below);
                        scratch.spread
                    }
                    None => residual,
                };
                d.attention_backward(self.heads, qkv, dropout, lse, dcontext, scratch.qkv);
                if below == Below::Trained {
                    d.linear_backward_input(&self.qkv, scratch.qkv, scratch.stream, true);
                }
                d.linear_backward_weight(&self.qkv, scratch.qkv, x);
            }
            AttentionActs::First { room, context, .. } => {
                d.linear_backward_weight(&self.attention_output, branch, context);
                self.spread(d, scratch, scratch.spread, acts.rows, below);
                let dx = (below == Below::Trained).then_some(scratch.stream);
                d.attention_first_backward(self.heads, &self.qkv, x, dropout, room, residual, dx);
            }
        }
    }

    /// Puts the first `rows` of the stream back among the rows of all tokens, where something below needs it; by way of
    /// `aside`, as the two places overlap.
    fn spread<D: Device>(&self, d: &mut D, scratch: &Scratch, aside: Act, rows: usize, below: Below) {
        if below == Below::Trained {
            let hidden = self.heads.hidden();
            let aside = aside.rows(rows, hidden);
            d.copy(scratch.stream.rows(rows, hidden), aside);
            d.scatter_read(aside, hidden, scratch.stream);
        }
    }
}
