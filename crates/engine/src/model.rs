//! A whole model on a device: encoder, head, their parameters, and the passes over a ragged batch.
//!
//! Here is what every model has; `classification` and `masked_lm` are the passes of the two kinds of head, `frozen` is the
//! part of the encoder that does not train.

mod classification;
mod frozen;
mod masked_lm;
mod memory;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use gyeol_data::Batch;
use gyeol_kernels::Span;

use crate::config::Optimizer;
use crate::device::{Act, AllocationError, Device, Layout, Store, TokenIndices};
use crate::heads::{HeadKind, MaskedLmActs, SequenceActs};
use crate::hf::{EncoderConfig, Family};
use crate::layers::{Below, BlockActs, EmbeddingsActs, Reader, Rows, Scratch, ScratchShape};
use crate::models::{self, Network};
use crate::params::ParamTable;
use crate::pass::{DropoutStream, Planner};

pub use masked_lm::Masked;
pub use memory::{Extent, Memory};

/// An encoder with its head on device `D`.
#[derive(Debug)]
pub struct Model<D> {
    pub(crate) device: D,
    config: Arc<EncoderConfig>,
    pub(crate) network: Arc<Network>,
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

/// The activations of one pass through some blocks of the encoder, and through the embeddings if the lowest is among them.
#[derive(Debug)]
struct Acts {
    blocks: Range<usize>,
    /// Those of the embeddings, where the pass begins with them.
    embeddings: Option<EmbeddingsActs>,
    /// What goes into the lowest of the blocks.
    entry: Act,
    /// Those of every block but the last: in training one for each, else up to two that take turns, as no backward pass
    /// reads them.
    lower: Vec<BlockActs>,
    /// The last block's, which goes on with the tokens that are read alone; `None` without any block.
    last: Option<BlockActs>,
    scratch: Scratch,
}

impl Acts {
    /// The input of block `index`: what the block below put out, or what goes into the lowest.
    fn input(&self, index: usize) -> Act {
        if index == self.blocks.start { self.entry } else { self.block(index - 1).out }
    }

    fn block(&self, index: usize) -> &BlockActs {
        match &self.last {
            Some(last) if index + 1 == self.blocks.end => last,
            _ => &self.lower[(index - self.blocks.start) % self.lower.len()],
        }
    }

    /// What the pass puts out.
    fn out(&self) -> Act {
        self.last.as_ref().map_or(self.entry, |last| last.out)
    }
}

impl<D: Device> Model<D> {
    /// The model of `config` with a `head`, its weights zero; `training` makes room for gradients, and for AdamW's moments
    /// until [`Model::optimise_with`] names another optimiser.
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
        if training {
            device.allocate_moments(network.table.tensors(), Optimizer::AdamW)?;
        }
        Ok(Self { device, config: Arc::new(config), network: Arc::new(network), head, frozen: 0, saved: None })
    }

    /// The same model on a device that shares the parameters, for passes of inference beside its own, see [`Device::share`].
    pub(crate) fn share(&mut self) -> Option<Self> {
        Some(Self {
            device: self.device.share()?,
            config: Arc::clone(&self.config),
            network: Arc::clone(&self.network),
            head: self.head.clone(),
            frozen: self.frozen,
            saved: None,
        })
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

    /// Makes room for a moving average of the weights.
    ///
    /// # Errors
    /// If the device has none.
    pub fn keep_average(&mut self) -> Result<(), AllocationError> {
        self.device.allocate_average()
    }

    /// `average = decay · average + (1 − decay) · weights`.
    pub(crate) fn average(&mut self, decay: f64) {
        self.device.average(decay);
    }

    /// Exchanges the weights and their average.
    pub(crate) fn swap_average(&mut self) {
        self.device.swap_average();
    }

    /// Overwrites a whole arena.
    ///
    /// # Panics
    /// If `values` has another length.
    pub fn upload(&mut self, store: Store, values: &[f32]) {
        self.device.upload(store, Span::new(0, values.len()), values);
    }

    /// Places for the activations of `blocks`, of whose tokens `last` says how many there are and which leave the last block.
    /// Without the lowest block the input is what the blocks below put out.
    fn plan(&self, planner: &mut Planner, blocks: Range<usize>, last: Rows, training: bool) -> Acts {
        let tokens = last.tokens();
        let embeddings = (blocks.start == 0).then(|| self.network.embeddings.plan(planner, tokens, training));
        let every = Rows::All { tokens };
        let entry = match &embeddings {
            Some(embeddings) => embeddings.out,
            None => {
                let rows = if blocks.is_empty() { last } else { every };
                planner.act(rows.out() * self.config.hidden_size)
            }
        };
        let below = blocks.len().saturating_sub(1);
        let planned = if training { below } else { below.min(2) };
        let mut place = |index: usize, rows, reader| self.network.blocks[index].plan(planner, rows, reader, training);
        let lower = (blocks.start..blocks.start + planned).map(|index| place(index, every, Reader::Block)).collect();
        let top = blocks.clone().last().map(|index| place(index, last, Reader::Head));
        let shape = ScratchShape { hidden: self.config.hidden_size, intermediate: self.config.intermediate_size };
        let stream = if below > 0 || embeddings.is_some() { tokens } else { last.out() };
        let rows: &[Rows] = match blocks.len() {
            0 => &[],
            1 => &[last],
            _ => &[every, last],
        };
        let scratch = Scratch::plan(planner, rows, stream, shape, training);
        Acts { blocks, embeddings, entry, lower, last: top, scratch }
    }

    /// The pass of the planned blocks over `batch`, of whose tokens the head reads `read`. `given` is what goes into the
    /// lowest of the blocks, if they do not begin with the embeddings.
    fn encode(&mut self, batch: &Batch, read: Vec<u32>, acts: &Acts, given: &[f32], stream: Option<DropoutStream>) {
        let d = &mut self.device;
        d.set_batch(token_indices(&self.config, batch, read), stream.is_some());
        match &acts.embeddings {
            Some(embeddings) => self.network.embeddings.forward(d, embeddings, stream),
            None => d.write(acts.entry, given),
        }
        for index in acts.blocks.clone() {
            self.network.blocks[index].forward(d, acts.input(index), acts.block(index), &acts.scratch, stream);
        }
    }

    /// Adds the gradients of the parameters of the planned blocks, and of the embeddings if they are among them, from that of
    /// the output in the scratch stream.
    fn encode_backward(&mut self, acts: &Acts, stream: DropoutStream) {
        let (d, stream) = (&mut self.device, Some(stream));
        for index in acts.blocks.clone().rev() {
            let frozen_below = index == acts.blocks.start && acts.embeddings.is_none();
            let below = if frozen_below { Below::Frozen } else { Below::Trained };
            let block = &self.network.blocks[index];
            block.backward(d, acts.input(index), acts.block(index), &acts.scratch, stream, below);
        }
        if let Some(embeddings) = &acts.embeddings {
            self.network.embeddings.backward(d, embeddings, acts.scratch.stream, stream);
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
