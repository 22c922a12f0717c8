//! The optimiser: the learning rate of a step, clipping by the global norm, and AdamW.

mod schedule;

use gyeol_kernels::AdamStep;

use crate::config::TrainConfig;
use crate::device::Device;
use crate::model::Model;

pub(crate) use schedule::learning_rate;

/// Adam's decay rates and epsilon: PyTorch's defaults, which are also Hugging Face Trainer's.
const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPS: f64 = 1e-8;

impl<D: Device> Model<D> {
    /// Clips the gradients by their global norm, takes one AdamW step with `learning_rate`, clears the gradients, and
    /// returns the norm before clipping. `step` counts from 1. What is frozen has no gradient, and is not decayed either.
    pub(crate) fn optimise(&mut self, config: &TrainConfig, learning_rate: f64, step: u64) -> f64 {
        let norm = self.device.gradient_squares().sqrt();
        // As torch.nn.utils.clip_grad_norm_ has it, small constant included.
        let clip = if config.max_grad_norm > 0.0 { (config.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        if !norm.is_finite() {
            return norm;
        }
        for (part, decays) in self.network.table.decay_runs(self.trained_from()) {
            let weight_decay = if decays { config.weight_decay } else { 0.0 };
            let step = AdamStep {
                learning_rate,
                beta1: BETA1,
                beta2: BETA2,
                eps: EPS,
                weight_decay,
                step,
                gradient_scale: clip,
            };
            self.device.adamw(step, part);
        }
        self.device.zero_gradients();
        norm
    }
}
