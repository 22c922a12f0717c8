//! The parts of the encoder, each with its parameters, its saved activations, a forward and a backward pass.

mod block;
mod embeddings;

pub(crate) use block::{Below, Block, BlockActs, Reader, Rows, Scratch, ScratchShape};
pub(crate) use embeddings::{Embeddings, EmbeddingsActs};
