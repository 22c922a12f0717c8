//! A whole model on a device: encoder, head, their parameters, and the passes over a ragged batch.
//!
//! Here is what every model has; `classification` and `masked_lm` are the passes of the two kinds of head.

mod classification;
mod masked_lm;
#[cfg(test)]
mod tests;

use gyeol_data::Batch;
use gyeol_kernels::Span;

use crate::device::{Act, AllocationError, Device, Layout, Store, TokenIndices};
use crate::heads::{HeadKind, MaskedLmActs, SequenceActs};
use crate::hf::{EncoderConfig, Family};
use crate::layers::{Below, BlockActs, EmbeddingsActs, Rows, Scratch, ScratchShape};
use crate::models::{self, Network};
use crate::params::ParamTable;
use crate::pass::{DropoutStream, Planner};

pub use masked_lm::Masked;

/// An encoder with its head on device `D`.
#[derive(Debug)]
pub struct Model<D> {
    pub(crate) device: D,
    config: EncoderConfig,
    pub(crate) network: Network,
    pub(crate) head: HeadKind,
    /// Blocks that do not train, from the lowest up; with any of them the embeddings do not either.
    frozen: usize,
    /// The plan of the last training pass, which the backward pass reads.
    saved: Option<Saved>,
}

#[derive(Debug)]
struct Saved {
    acts: Acts,
    head: SequenceActs,
    stream: DropoutStream,
}

/// The activations of one pass through the encoder.
#[derive(Debug)]
struct Acts {
    embeddings: EmbeddingsActs,
    /// Those of every block but the last: up to two that the lowest blocks take in turn, then one for each block above.
    blocks: Vec<BlockActs>,
    /// Blocks that take turns, as no backward pass reads them: in training the frozen ones, in inference all.
    in_turn: usize,
    /// The last block's, which goes on with the tokens that the head reads alone.
    last: BlockActs,
    scratch: Scratch,
    depth: usize,
}

impl Acts {
    /// The input of block `index`: what the block below, or the embeddings, put out.
    fn input(&self, index: usize) -> Act {
        match index.checked_sub(1) {
            Some(below) => self.block(below).out,
            None => self.embeddings.out,
        }
    }

    fn block(&self, index: usize) -> &BlockActs {
        if index + 1 == self.depth {
            &self.last
        } else if index < self.in_turn {
            &self.blocks[index % 2]
        } else {
            &self.blocks[index - self.in_turn + self.in_turn.min(2)]
        }
    }
}

impl<D: Device> Model<D> {
    /// The model of `config` with a `head`, its weights zero; `training` makes room for gradients and moments.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(mut device: D, config: EncoderConfig, head: HeadKind, training: bool) -> Result<Self, AllocationError> {
        let network = models::build(&config, &head);
        let layout = Layout {
            len: network.table.len(),
            linears: network.table.linears(),
            embeddings: &network.embeddings.tables,
        };
        device.allocate(layout, training)?;
        Ok(Self { device, config, network, head, frozen: 0, saved: None })
    }

    /// Keeps the lowest `layers` blocks as they are, and with any of them the embeddings: from now on they have no
    /// gradient and no update. As with `requires_grad = False` in PyTorch, training still drops out in them. To be called
    /// before training: a forward pass keeps only what the backward pass needs by then.
    ///
    /// # Panics
    /// If there are fewer blocks.
    pub fn freeze(&mut self, layers: usize) {
        assert!(layers <= self.network.blocks.len(), "{layers} of {} blocks", self.network.blocks.len());
        self.frozen = layers;
    }

    /// Where in the arenas the parameters that train begin: they lie in the order of the forward pass.
    pub(crate) fn trained_from(&self) -> usize {
        if self.frozen == 0 {
            return 0;
        }
        let block = self.network.blocks.get(self.frozen).map(|block| block.qkv);
        let lowest = block.or_else(|| self.network.head.first_layer());
        lowest.map_or(self.network.table.len(), |layer| layer.weight.0.start)
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// The names, shapes and places of the parameters.
    pub fn table(&self) -> &ParamTable {
        &self.network.table
    }

    /// A whole arena, in the order of [`Model::table`].
    pub fn download(&mut self, store: Store) -> std::borrow::Cow<'_, [f32]> {
        self.device.settle();
        self.device.download(store)
    }

    /// Overwrites a whole arena.
    ///
    /// # Panics
    /// If `values` has another length.
    pub fn upload(&mut self, store: Store, values: &[f32]) {
        self.device.upload(store, Span::new(0, values.len()), values);
    }

    /// Places for the encoder's activations over `batch`, of whose tokens `last` says which leave the last block.
    fn plan(&self, planner: &mut Planner, batch: &Batch, last: Rows, training: bool) -> Acts {
        let tokens = batch.tokens();
        let embeddings = self.network.embeddings.plan(planner, tokens);
        let depth = self.network.blocks.len();
        let in_turn = if training { self.frozen.min(depth - 1) } else { depth - 1 };
        let planned = depth - 1 - in_turn + in_turn.min(2);
        let every = Rows::All { tokens };
        let blocks = self.network.blocks[..planned].iter().map(|block| block.plan(planner, every, training)).collect();
        let last = self.network.blocks[depth - 1].plan(planner, last, training);
        let shape = ScratchShape {
            hidden: self.config.hidden_size,
            intermediate: self.config.intermediate_size,
            embedding: self.config.embedding_size,
        };
        let scratch = Scratch::plan(planner, tokens, shape, training);
        Acts { embeddings, blocks, in_turn, last, scratch, depth }
    }

    /// The encoder's pass over `batch`, of whose tokens the head reads `read`.
    fn encode(&mut self, batch: &Batch, read: Vec<u32>, acts: &Acts, stream: Option<DropoutStream>) {
        let d = &mut self.device;
        d.set_batch(token_indices(&self.config, batch, read));
        self.network.embeddings.forward(d, &acts.embeddings, stream);
        for (index, block) in self.network.blocks.iter().enumerate() {
            block.forward(d, acts.input(index), acts.block(index), &acts.scratch, stream);
        }
    }

    /// Adds the gradients of the encoder's parameters, from that of its output in the scratch stream.
    fn encode_backward(&mut self, acts: &Acts, stream: DropoutStream) {
        let (d, stream) = (&mut self.device, Some(stream));
        for (index, block) in self.network.blocks.iter().enumerate().skip(self.frozen).rev() {
            let below = if self.frozen > 0 && index == self.frozen { Below::Frozen } else { Below::Trained };
            block.backward(d, acts.input(index), acts.block(index), &acts.scratch, stream, below);
        }
        if self.frozen == 0 {
            self.network.embeddings.backward(d, &acts.embeddings, &acts.scratch, stream);
        }
    }
}

/// What the tokens of `batch` look up. RoBERTa counts positions over the tokens that are not padding and gives padding
/// its own position, as a text may hold the padding token; segments beyond the table (a BERT tokeniser before a RoBERTa
/// model with one segment) take its last row.
fn token_indices(config: &EncoderConfig, batch: &Batch, read: Vec<u32>) -> TokenIndices {
    let last_segment = (config.type_vocab_size - 1) as u32;
    let padding = config.pad_token_id as u32;
    let mut positions = Vec::with_capacity(batch.tokens());
    for pair in batch.cu_seqlens.windows(2) {
        let mut next = config.position_offset as u32;
        for &id in &batch.ids[pair[0] as usize..pair[1] as usize] {
            if config.family == Family::Roberta && id == padding {
                positions.push(padding);
            } else {
                positions.push(next);
                next += 1;
            }
        }
    }
    TokenIndices {
        words: batch.ids.clone(),
        positions,
        segments: batch.segments.iter().map(|&segment| u32::from(segment).min(last_segment)).collect(),
        cu_seqlens: batch.cu_seqlens.clone(),
        read,
    }
}
