//! The optimiser: the learning rate of a step and of a layer, clipping by the global norm, and what each optimiser computes.

mod moments;
mod schedule;

use gyeol_kernels::{AdafactorStep, AdamStep, LionStep, SgdStep, Span};

use crate::config::{Optimizer, TrainConfig};
use crate::device::{AllocationError, Device, ElementStep, OptimiserStep};
use crate::model::Model;
use crate::params::{Part, Tensor};

pub(crate) use moments::{Factored, Means, factored};
pub(crate) use schedule::learning_rate;

/// AdamW's decay rates and epsilon: PyTorch's defaults, which are also Hugging Face Trainer's.
const ADAMW: (f64, f64, f64) = (0.9, 0.999, 1e-8);

/// Lion's two rates, the paper's.
const LION: (f64, f64) = (0.9, 0.99);

/// Adafactor's decay rate, epsilon and threshold: transformers' defaults.
const ADAFACTOR: (f64, f64, f64) = (-0.8, 1e-30, 1.0);

/// What the tensors of one update share: where they lie, whether they decay, and the factor of their learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Group {
    part: Span,
    decays: bool,
    rate: f64,
}

impl<D: Device> Model<D> {
    /// Makes room for the moments of `optimizer` instead of AdamW's, which [`Model::new`] made room for. To be called before
    /// training.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn optimise_with(&mut self, optimizer: Optimizer) -> Result<(), AllocationError> {
        self.device.allocate_moments(self.network.table.tensors(), optimizer)
    }

    /// Numbers that `optimizer` keeps of past gradients of this model.
    pub fn moments_len(&self, optimizer: Optimizer) -> usize {
        optimizer.moments_len(self.table().tensors().iter())
    }

    /// [`optimise`] of this model alone.
    #[cfg(test)]
    pub(crate) fn optimise(&mut self, config: &TrainConfig, learning_rate: f64, step: u64) -> f64 {
        optimise(std::slice::from_mut(self), config, learning_rate, step)
    }

    /// Takes one step of the optimiser on the gradients times `clip`, and clears them. What is frozen has no gradient, and is not
    /// decayed either.
    fn update(&mut self, config: &TrainConfig, learning_rate: f64, step: u64, clip: f64) {
        for Group { part, decays, rate } in self.groups(config.layer_decay) {
            let weight_decay = if decays { config.weight_decay } else { 0.0 };
            let scalars = Scalars { learning_rate: learning_rate * rate, weight_decay, step, gradient_scale: clip };
            self.device.update(scalars.of(config), part);
        }
        self.device.zero_gradients();
    }

    /// What trains, cut into the longest runs of tensors that one update serves.
    fn groups(&self, layer_decay: f64) -> Vec<Group> {
        let top = self.network.blocks.len() + 1;
        let alike = |tensor: &Tensor| (tensor.role.decays(), layer_decay.powi((top - self.layer(tensor)) as i32));
        let runs = self.table().runs(self.trained_from(), alike);
        runs.into_iter().map(|(part, (decays, rate))| Group { part, decays, rate }).collect()
    }

    /// How high in the network a tensor is: 0 in the embeddings, then from 1 the block's number, above them the head.
    fn layer(&self, tensor: &Tensor) -> usize {
        let blocks = &self.network.blocks;
        match tensor.part {
            // A block's tensors lie together and begin with this weight.
            Part::Encoder => blocks.partition_point(|block| block.qkv.weight.0.start <= tensor.span.start),
            Part::Head | Part::Output => blocks.len() + 1,
        }
    }
}

/// Clips the gradients of `models` by their global norm, that of all of them together, takes one step of the optimiser with
/// `learning_rate`, clears the gradients, and returns the norm before clipping. `step` counts from 1.
pub(crate) fn optimise<D: Device>(models: &mut [Model<D>], config: &TrainConfig, learning_rate: f64, step: u64) -> f64 {
    let norm = models.iter_mut().map(|model| model.device.gradient_squares()).sum::<f64>().sqrt();
    // As torch.nn.utils.clip_grad_norm_ has it, small constant included.
    let clip = if config.max_grad_norm > 0.0 { (config.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
    if norm.is_finite() {
        models.iter_mut().for_each(|model| model.update(config, learning_rate, step, clip));
    }
    norm
}

/// The scalars that the steps of all optimisers have.
struct Scalars {
    learning_rate: f64,
    weight_decay: f64,
    step: u64,
    gradient_scale: f64,
}

impl Scalars {
    fn of(self, config: &TrainConfig) -> OptimiserStep {
        let Self { learning_rate, weight_decay, step, gradient_scale } = self;
        let element = match config.optimizer {
            Optimizer::AdamW => {
                let (beta1, beta2, eps) = ADAMW;
                ElementStep::AdamW(AdamStep { learning_rate, beta1, beta2, eps, weight_decay, step, gradient_scale })
            }
            Optimizer::Sgd => {
                let momentum = config.momentum;
                ElementStep::Sgd(SgdStep { learning_rate, momentum, weight_decay, gradient_scale })
            }
            Optimizer::Lion => {
                let (beta1, beta2) = LION;
                ElementStep::Lion(LionStep { learning_rate, beta1, beta2, weight_decay, gradient_scale })
            }
            Optimizer::Adafactor => {
                let (decay_rate, eps, clip_threshold) = ADAFACTOR;
                return OptimiserStep::Tensor(AdafactorStep {
                    learning_rate,
                    decay_rate,
                    eps,
                    clip_threshold,
                    weight_decay,
                    step,
                    gradient_scale,
                });
            }
        };
        OptimiserStep::Element(element)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gyeol_kernels::{Isa, Operands};

    use super::*;
    use crate::device::Cpu;
    use crate::heads::HeadKind;
    use crate::hf::EncoderConfig;

    fn model(name: &str, head: HeadKind) -> Model<Cpu> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let device = Cpu::new(Isa::Portable, Operands::F32);
        Model::new(device, EncoderConfig::read(&dir).unwrap(), head, false).unwrap()
    }

    #[test]
    fn the_rate_falls_by_a_layer_from_the_head_to_the_embeddings() {
        let heads = [
            ("bert_cls", HeadKind::Classification { outputs: 4 }),
            ("roberta_reg", HeadKind::Classification { outputs: 1 }),
            ("electra_proj_reg", HeadKind::Classification { outputs: 1 }),
            ("masked_bert", HeadKind::MaskedLm),
        ];
        for (name, head) in heads {
            let model = model(name, head);
            let groups = model.groups(0.5);
            for tensor in model.table().tensors() {
                let of = |part: &str| tensor.name.contains(part);
                // Two blocks.
                let rate = match () {
                    () if of(".embeddings") => 0.125,
                    () if of(".layer.0.") => 0.25,
                    () if of(".layer.1.") => 0.5,
                    () => 1.0,
                };
                let inside = |part: Span| part.start <= tensor.span.start && tensor.span.end() <= part.end();
                let group = groups.iter().find(|group| inside(group.part)).unwrap();
                assert_eq!((group.rate, group.decays), (rate, tensor.role.decays()), "{}", tensor.name);
            }
        }
    }

    #[test]
    fn without_layer_decay_groups_differ_in_weight_decay_alone() {
        let groups = model("bert_cls", HeadKind::Classification { outputs: 4 }).groups(1.0);
        assert!(groups.iter().all(|group| group.rate == 1.0));
        assert!(groups.windows(2).all(|pair| pair[0].decays != pair[1].decays));
    }
}
