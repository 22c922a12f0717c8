//! The numerics of the process against other programs and against finite differences.

use super::{improvement::LogImprovement, kernel::Kernel, likelihood::Likelihood, model::Model, *};
use crate::samplers::golden::{assert_close, golden};

fn fixed() -> Model {
    let golden = golden().process;
    let precisions = golden.parameters[..3].iter().map(|logarithm| logarithm.exp()).collect();
    let kernel = Kernel { scale: golden.parameters[3].exp(), precisions, nominal: vec![false, false, true] };
    Model::new(kernel, golden.parameters[4].exp(), golden.x, &golden.y)
}

#[test]
fn mean_and_variance_are_those_of_scikit_learn() {
    let (model, golden) = (fixed(), golden().process);
    for ((q, mean), variance) in golden.q.iter().zip(&golden.mean).zip(&golden.variance) {
        let (ours, our_variance) = model.posterior(q);
        assert_close(ours, *mean, 1e-9);
        assert_close(our_variance, *variance, 1e-9);
    }
}

#[test]
fn the_marginal_likelihood_and_its_gradient_are_those_of_scikit_learn() {
    let golden = golden().process;
    let mut gradient = vec![0.0; 5];
    let likelihood = Likelihood::new(&golden.x, &[false, false, true], &golden.y);
    assert_close(likelihood.log_marginal(&golden.parameters, &mut gradient), golden.log_marginal, 1e-9);
    gradient.iter().zip(&golden.gradient).for_each(|(ours, theirs)| assert_close(*ours, *theirs, 1e-9));
}

#[test]
fn slopes_are_those_of_finite_differences() {
    let model = fixed();
    let at = [0.4, 0.6, 1.0];
    let slopes = model.slopes(&at);
    assert_eq!(model.posterior(&at), (slopes.mean, slopes.variance));
    for j in 0..2 {
        let moved = |by: f64| {
            let mut there = at;
            there[j] += by;
            model.posterior(&there)
        };
        let (ahead, behind) = (moved(1e-5), moved(-1e-5));
        assert_close(slopes.mean_by[j], (ahead.0 - behind.0) / 2e-5, 1e-6);
        assert_close(slopes.variance_by[j], (ahead.1 - behind.1) / 2e-5, 1e-6);
    }
}

#[test]
fn the_prior_s_gradient_is_that_of_finite_differences() {
    let parameters = [0.3, -1.2, 0.4, -3.0];
    let mut gradient = [0.0; 4];
    prior::log_density(&parameters, &mut gradient);
    for j in 0..4 {
        let moved = |by: f64| {
            let mut there = parameters;
            there[j] += by;
            prior::log_density(&there, &mut [0.0; 4])
        };
        assert_close(gradient[j], (moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-7);
    }
}

#[test]
fn the_log_improvement_is_exact_far_into_the_tail() {
    for [best, mean, deviation, expected] in golden().improvement {
        let ours = LogImprovement::new(best, mean, deviation);
        assert_close(ours.value, expected, 1e-9);
        let value = |mean: f64, deviation: f64| LogImprovement::new(best, mean, deviation).value;
        let step = 1e-5 * deviation;
        assert_close(
            ours.by_mean,
            (value(mean + step, deviation) - value(mean - step, deviation)) / (2.0 * step),
            1e-5,
        );
        let by_deviation = (value(mean, deviation + step) - value(mean, deviation - step)) / (2.0 * step);
        assert_close(ours.by_deviation, by_deviation, 1e-5);
    }
}

#[test]
fn of_many_trials_the_best_and_the_latest_are_kept() {
    let points: Vec<Point> = (0..600).map(|i| vec![f64::from(i) / 600.0]).collect();
    let values: Vec<(&Point, f64)> =
        points.iter().enumerate().map(|(i, point)| (point, (i as f64 - 100.0).abs())).collect();
    let kept = select(&values);
    assert_eq!(kept.len(), OBSERVATIONS);
    assert!(kept.contains(&values[100]) && kept.contains(&values[599]) && !kept.contains(&values[300]));
}
