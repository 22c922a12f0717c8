//! `[adapt]` and `[pretrain]`: the same keys, with the defaults of a model that knows much or nothing yet.

use std::marker::PhantomData;

use gyeol_engine::config::{EvaluateEvery, Precision, Schedule, TrainConfig};
use gyeol_engine::hf::WeightPrecision;
use serde::{Deserialize, Serialize};

/// What a model is before masked-LM training: decides the defaults of [`MaskedLmConfig`].
pub trait Beginning: Clone {
    /// Whether it knows nothing yet.
    const FRESH: bool;
}

/// A base model that is to be adapted.
#[derive(Debug, Clone, PartialEq)]
pub struct Base;

/// Nothing but fresh weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Nothing;

impl Beginning for Base {
    const FRESH: bool = false;
}

impl Beginning for Nothing {
    const FRESH: bool = true;
}

/// Masked-LM training, of a base model or from nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound = "B: Beginning")]
pub struct MaskedLmConfig<B> {
    /// The texts: files of raw text (`.txt`, `.txt.gz`, one text a line) and tables; in `[adapt]` also `train`, `valid` and
    /// `test`, the recipe's own.
    pub texts: Vec<String>,
    /// Text columns of the tables among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Share of the texts kept aside to measure perplexity on, in `[0, 0.5]`, though never more than
    /// [`MOST_HELD_OUT`](super::MOST_HELD_OUT) texts.
    pub holdout: f64,
    /// Decides what is kept aside, the order of the texts, the tokens hidden, dropout and fresh weights.
    pub seed: u64,
    /// Share of the tokens hidden, in (0, 1).
    pub mask: f64,
    /// Hide the pieces of a word together.
    pub whole_words: bool,
    /// Longest token sequence, special tokens included; longer texts are cut into several. Absent in `[adapt]`:
    /// `model.max_length`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Every dropout probability of the model during this training, 0 ≤ p < 1; absent: the model's own, which is what its
    /// `config.json` goes on to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f32>,
    /// Passes over the texts.
    pub epochs: u32,
    /// Optimiser steps in total; 0: `epochs` decide.
    pub max_steps: u64,
    /// Texts of one forward and backward pass.
    pub batch_size: usize,
    /// Batches averaged into one optimiser step.
    pub accumulate: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay, not applied to biases and LayerNorm.
    pub weight_decay: f64,
    /// How the learning rate moves after the warm-up.
    pub schedule: Schedule,
    /// Warm-up as a share of all steps (rounded up).
    pub warmup_ratio: f64,
    /// Gradients are scaled down to this global L2 norm; 0: never.
    pub max_grad_norm: f64,
    /// Number format of the operands of matrix products.
    pub precision: Precision,
    /// When to measure perplexity.
    pub evaluate_every: EvaluateEvery,
    /// Measurements without improvement before stopping; 0: never.
    pub patience: u32,
    /// Number format of the weights in the model directory.
    pub weights: WeightPrecision,
    #[serde(skip)]
    beginning: PhantomData<B>,
}

/// `[adapt]`: TAPT, the pre-training of a base model on the texts of the task (Gururangan et al. 2020).
pub type AdaptConfig = MaskedLmConfig<Base>;

/// `[pretrain]`: from nothing.
pub type PretrainConfig = MaskedLmConfig<Nothing>;

impl<B: Beginning> Default for MaskedLmConfig<B> {
    fn default() -> Self {
        Self {
            texts: if B::FRESH { Vec::new() } else { vec!["train".to_owned(), "test".to_owned()] },
            columns: Vec::new(),
            holdout: 0.02,
            seed: 42,
            mask: 0.15,
            whole_words: false,
            max_length: B::FRESH.then_some(128),
            dropout: None,
            epochs: if B::FRESH { 10 } else { 3 },
            max_steps: 0,
            batch_size: if B::FRESH { 64 } else { 32 },
            accumulate: 1,
            learning_rate: if B::FRESH { 5e-4 } else { 5e-5 },
            weight_decay: 0.01,
            schedule: Schedule::Linear,
            warmup_ratio: 0.06,
            max_grad_norm: 1.0,
            precision: Precision::Auto,
            evaluate_every: EvaluateEvery::Epoch,
            patience: 0,
            weights: WeightPrecision::F32,
            beginning: PhantomData,
        }
    }
}

impl<B: Beginning> MaskedLmConfig<B> {
    /// The loop's part of it.
    pub(crate) fn train(&self) -> TrainConfig {
        TrainConfig {
            epochs: self.epochs,
            max_steps: self.max_steps,
            batch_size: self.batch_size,
            eval_batch_size: EVAL_BATCH_SIZE,
            accumulate: self.accumulate,
            learning_rate: self.learning_rate,
            weight_decay: self.weight_decay,
            schedule: self.schedule,
            warmup_steps: 0,
            warmup_ratio: self.warmup_ratio,
            max_grad_norm: self.max_grad_norm,
            precision: self.precision,
            shuffle: true,
            evaluate_every: self.evaluate_every,
            patience: self.patience,
            keep: 1,
            ema: 0.0,
        }
    }
}

/// Texts of one evaluation pass at most; their tokens bound it first, unless they are very short.
const EVAL_BATCH_SIZE: usize = 256;
