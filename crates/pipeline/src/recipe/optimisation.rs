//! Checks of the optimiser, the layer decay and the schedule, in every table that has them. A key that the choice made does not
//! read is an error unless it is left at its default: it would look as if it had an effect.

use gyeol_engine::config::{Optimizer, POLYNOMIAL_END, Schedule, TrainConfig};

use super::check::{Problem, require};

/// Checks what the table `table` says.
pub(super) fn check(table: &str, train: &TrainConfig) -> Result<(), Problem> {
    let key = |name: &str| format!("{table}.{name}");
    let defaults = TrainConfig::default();
    let unread = |name: &str, value: f64, read_by: &str| {
        let problem = format!("{value} is not read here: only `{} does; remove it, or set that", key(read_by));
        Err((key(name).into(), problem))
    };
    require(key("momentum"), (0.0..1.0).contains(&train.momentum), train.momentum, "from 0 to below 1")?;
    if train.optimizer != Optimizer::Sgd && train.momentum != defaults.momentum {
        return unread("momentum", train.momentum, "optimizer = \"sgd\"`");
    }
    let share = train.layer_decay > 0.0 && train.layer_decay <= 1.0;
    require(key("layer_decay"), share, train.layer_decay, "above 0, and at most 1 (all layers alike)")?;
    let positive = train.power.is_finite() && train.power > 0.0;
    require(key("power"), positive, train.power, "a finite number above 0")?;
    if train.schedule != Schedule::Polynomial && train.power != defaults.power {
        return unread("power", train.power, "schedule = \"polynomial\"`");
    }
    require(key("cycles"), train.cycles >= 1, train.cycles, "at least 1 (a plain cosine)")?;
    if train.schedule != Schedule::CosineRestarts && train.cycles != defaults.cycles {
        return unread("cycles", train.cycles.into(), "schedule = \"cosine_restarts\"`");
    }
    if train.schedule == Schedule::Polynomial && train.learning_rate <= POLYNOMIAL_END {
        let expected = format!("above {POLYNOMIAL_END:e}, where the polynomial schedule ends");
        require(key("learning_rate"), false, format!("{:e}", train.learning_rate), &expected)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl Fn(&mut TrainConfig)) -> String {
        let mut train = TrainConfig::default();
        change(&mut train);
        check("train", &train).map_or_else(|(key, problem)| format!("{key}: {problem}"), |()| "fine".to_owned())
    }

    #[test]
    fn a_key_that_the_choice_does_not_read_is_an_error_that_names_the_one_that_does() {
        assert_eq!(
            problem(|train| train.momentum = 0.5),
            "train.momentum: 0.5 is not read here: only `train.optimizer = \"sgd\"` does; remove it, or set that"
        );
        assert!(problem(|train| train.power = 2.0).contains("only `train.schedule = \"polynomial\"` does"));
        assert!(problem(|train| train.cycles = 3).contains("only `train.schedule = \"cosine_restarts\"` does"));
    }

    #[test]
    fn the_same_keys_are_read_where_the_choice_asks_for_them() {
        assert_eq!(problem(|train| (train.optimizer, train.momentum) = (Optimizer::Sgd, 0.0)), "fine");
        assert_eq!(problem(|train| (train.schedule, train.power) = (Schedule::Polynomial, 0.5)), "fine");
        assert_eq!(problem(|train| (train.schedule, train.cycles) = (Schedule::CosineRestarts, 1)), "fine");
        assert_eq!(problem(|train| train.layer_decay = 0.9), "fine");
    }

    #[test]
    fn values_out_of_range_are_named_with_what_is_expected() {
        for layer_decay in [0.0, -1.0, 1.1, f64::NAN] {
            let problem = problem(|train| train.layer_decay = layer_decay);
            assert!(problem.ends_with("expected above 0, and at most 1 (all layers alike)"), "{problem}");
        }
        assert!(problem(|train| (train.optimizer, train.momentum) = (Optimizer::Sgd, 1.0)).contains("below 1"));
        assert!(problem(|train| train.power = 0.0).contains("above 0"));
        assert!(problem(|train| train.cycles = 0).contains("at least 1"));
        assert_eq!(
            problem(|train| (train.schedule, train.learning_rate) = (Schedule::Polynomial, 1e-8)),
            "train.learning_rate: 1e-8 is out of range; expected above 1e-7, where the polynomial schedule ends"
        );
    }
}
