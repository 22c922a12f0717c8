//! How much arithmetic a training step nominally is.

use gyeol_engine::hf::EncoderConfig;

/// Floating-point operations of the forward and backward pass over texts of these lengths, a multiply-add being two:
///
/// `6·P·ΣL + 12·layers·hidden·ΣL²`
///
/// with P the elements of the blocks' weight matrices, `layers·(4·hidden² + 2·hidden·intermediate)`: each is read by one
/// product forward and two backward, of 2 operations an element and token. Attention adds the scores `Q·Kᵀ` and the sums
/// `P·V`, each 2·L²·hidden forward and twice that backward. Embeddings, norms, activations, the head and the optimiser do
/// not count, though they take time; what is skipped because nobody reads its result (most rows of the last block) does, so
/// that skipping it raises the speed.
pub(crate) fn training_step(config: &EncoderConfig, lengths: impl Iterator<Item = usize>) -> f64 {
    let (tokens, squares) =
        lengths.fold((0, 0), |(tokens, squares), length| (tokens + length, squares + length * length));
    let (hidden, layers) = (config.hidden_size as f64, config.layers as f64);
    let matrices = layers * hidden * (4.0 * hidden + 2.0 * config.intermediate_size as f64);
    6.0 * matrices * tokens as f64 + 12.0 * layers * hidden * squares as f64
}
