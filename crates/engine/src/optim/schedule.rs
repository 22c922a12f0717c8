//! How the learning rate moves over the steps, as `transformers.get_scheduler` has it.

use crate::config::{Schedule, TrainConfig};

/// The learning rate of step `step` (from 0) of `total`.
pub(crate) fn learning_rate(config: &TrainConfig, step: u64, total: u64) -> f64 {
    let warmup = warmup_steps(config, total);
    if step < warmup {
        return config.learning_rate * step as f64 / warmup as f64;
    }
    let rest = (total.saturating_sub(warmup)).max(1) as f64;
    let factor = match config.schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => total.saturating_sub(step) as f64 / rest,
        Schedule::Cosine => {
            let progress = (step - warmup) as f64 / rest;
            (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
        }
    };
    config.learning_rate * factor
}

fn warmup_steps(config: &TrainConfig, total: u64) -> u64 {
    if config.warmup_steps > 0 { config.warmup_steps } else { (config.warmup_ratio * total as f64).ceil() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: Schedule, warmup_steps: u64, warmup_ratio: f64) -> Vec<f64> {
        let config = TrainConfig { learning_rate: 1.0, schedule, warmup_steps, warmup_ratio, ..TrainConfig::default() };
        (0..6).map(|step| learning_rate(&config, step, 6)).collect()
    }

    #[test]
    fn matches_transformers() {
        // transformers.get_scheduler(name, optimizer, num_warmup_steps=2, num_training_steps=6), six steps
        let close = |got: Vec<f64>, want: [f64; 6]| {
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6), "{got:?} against {want:?}");
        };
        close(rates(Schedule::Linear, 2, 0.0), [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
        close(rates(Schedule::Cosine, 2, 0.0), [0.0, 0.5, 1.0, 0.853_553_4, 0.5, 0.146_446_6]);
        close(rates(Schedule::Constant, 2, 0.0), [0.0, 0.5, 1.0, 1.0, 1.0, 1.0]);
        close(rates(Schedule::Linear, 0, 0.2), [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
    }
}
