//! How the learning rate moves over the steps, as `transformers.get_scheduler` has it.

use std::f64::consts::PI;

use crate::config::{POLYNOMIAL_END, Schedule, TrainConfig};

/// The learning rate of step `step` (from 0) of `total`.
pub(crate) fn learning_rate(config: &TrainConfig, step: u64, total: u64) -> f64 {
    let warmup = warmup_steps(config, total);
    if step < warmup {
        return config.learning_rate * step as f64 / warmup as f64;
    }
    let rest = (total.saturating_sub(warmup)).max(1) as f64;
    let progress = (step - warmup) as f64 / rest;
    let half_cosine = |progress: f64| (0.5 * (1.0 + (PI * progress).cos())).max(0.0);
    let factor = match config.schedule {
        Schedule::Constant => 1.0,
        Schedule::Linear => total.saturating_sub(step) as f64 / rest,
        Schedule::Cosine => half_cosine(progress),
        Schedule::Polynomial => {
            let end = POLYNOMIAL_END / config.learning_rate;
            (1.0 - end) * (1.0 - progress).max(0.0).powf(config.power) + end
        }
        Schedule::CosineRestarts if progress >= 1.0 => 0.0,
        Schedule::CosineRestarts => half_cosine((f64::from(config.cycles) * progress).fract()),
    };
    config.learning_rate * factor
}

fn warmup_steps(config: &TrainConfig, total: u64) -> u64 {
    if config.warmup_steps > 0 { config.warmup_steps } else { (config.warmup_ratio * total as f64).ceil() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: fn() -> TrainConfig = || TrainConfig { learning_rate: 1.0, ..TrainConfig::default() };

    fn rates(config: &TrainConfig, steps: u64) -> Vec<f64> {
        (0..steps).map(|step| learning_rate(config, step, steps)).collect()
    }

    fn close(got: &[f64], want: &[f64]) {
        let alike = got.len() == want.len() && got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6);
        assert!(alike, "{got:?} against {want:?}");
    }

    #[test]
    fn matches_transformers() {
        // transformers.get_scheduler(name, optimizer, num_warmup_steps=2, num_training_steps=6), six steps
        let of = |schedule| rates(&TrainConfig { schedule, warmup_steps: 2, ..CONFIG() }, 6);
        close(&of(Schedule::Linear), &[0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
        close(&of(Schedule::Cosine), &[0.0, 0.5, 1.0, 0.853_553_4, 0.5, 0.146_446_6]);
        close(&of(Schedule::Constant), &[0.0, 0.5, 1.0, 1.0, 1.0, 1.0]);
        let by_ratio = TrainConfig { schedule: Schedule::Linear, warmup_ratio: 0.2, ..CONFIG() };
        close(&rates(&by_ratio, 6), &[0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
    }

    #[test]
    fn the_polynomial_and_the_restarts_match_transformers() {
        // get_scheduler("polynomial", SGD(lr=…), num_warmup_steps=…, num_training_steps=…, scheduler_specific_kwargs={"power": …})
        let of = |learning_rate, warmup_steps, steps, power| {
            let config = TrainConfig { schedule: Schedule::Polynomial, learning_rate, warmup_steps, power, ..CONFIG() };
            // In units of the least rate, so that differences are as large as those of the other schedules.
            rates(&config, steps).iter().map(|rate| rate / POLYNOMIAL_END).collect::<Vec<_>>()
        };
        close(&of(2e-5, 2, 7, 1.0), &[0.0, 100.0, 200.0, 160.2, 120.4, 80.6, 40.8]);
        close(&of(2e-5, 2, 7, 2.0), &[0.0, 100.0, 200.0, 128.36, 72.64, 32.84, 8.96]);
        close(&of(4e-7, 0, 4, 0.5), &[4.0, 3.598_076_211, 3.121_320_344, 2.5]);
        // get_scheduler("cosine_with_restarts", SGD(lr=1), 2, 9, scheduler_specific_kwargs={"num_cycles": …})
        let of =
            |cycles| rates(&TrainConfig { schedule: Schedule::CosineRestarts, cycles, warmup_steps: 2, ..CONFIG() }, 9);
        let two =
            [0.0, 0.5, 1.0, 0.811_744_901, 0.388_739_533, 0.049_515_566, 0.950_484_434, 0.611_260_467, 0.188_255_099];
        let three =
            [0.0, 0.5, 1.0, 0.611_260_467, 0.049_515_566, 0.811_744_901, 0.188_255_099, 0.950_484_434, 0.388_739_533];
        close(&of(2), &two);
        close(&of(3), &three);
    }

    #[test]
    fn one_cycle_is_a_plain_cosine() {
        let of = |schedule| rates(&TrainConfig { schedule, cycles: 1, warmup_steps: 3, ..CONFIG() }, 20);
        assert_eq!(of(Schedule::CosineRestarts), of(Schedule::Cosine));
    }
}
