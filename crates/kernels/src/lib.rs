//! Slices in, slices out: the arithmetic of gyeol. All SIMD of the project lives here, and all `unsafe` but the
//! memory maps of files. Nothing here knows a tensor, a model or a file.
//!
//! A fast kernel that computes sums or functions has a scalar twin in `reference` it is tested against. What only moves numbers
//! (rows gathered and scattered, zeros) and the moving average are the same plain code in both sets of kernels; packing and
//! the rows that AdamW puts off run in [`Scalar`] as in [`Fast`] on [`Isa::Portable`], and are tested against their definitions.
//!
//! The number of threads is the caller's: kernels spread over the current `rayon` pool, and their bits do not depend
//! on its size.

mod activation;
mod arena;
mod attention;
mod cosine;
mod cross_entropy;
mod dropout;
mod embedding;
mod fixed;
mod gemm;
mod isa;
mod kernels;
mod norm;
mod optimiser;
mod packed;
mod peak;
mod pooling;
mod reference;
mod rounded;
mod scratch;
mod shared;
mod strassen;
#[cfg(test)]
mod testing;
mod vecmath;
mod word;

pub use activation::Activation;
pub use arena::{Arena, Span};
pub use attention::{FirstAttention, Heads};
pub use dropout::Dropout;
pub use embedding::TokenRows;
pub use isa::{Isa, Operands, PIN_VARIABLE, PinError};
pub use kernels::{
    AdamSlices, Fast, Kernels, Linear, LinearGradient, NormSaved, PackedWeight, RowSlices, Scalar, Weight,
};
pub use optimiser::{AdafactorStep, AdamStep, LazyRows, LionStep, SgdStep};
pub use peak::peak;
pub use pooling::Pool;
pub use rounded::{Rows, RowsMut, Texts, halves, halves_mut, rounded_stride};
pub use word::Word;

/// Elements one task of an element-wise kernel takes: large enough to hide the cost of handing it out. Also the unit in
/// which reductions are cut, so that their order does not depend on the number of threads.
const ELEMENTS_PER_TASK: usize = 1 << 14;

/// Columns one task of a reduction over rows takes.
const COLUMNS_PER_TASK: usize = 64;
