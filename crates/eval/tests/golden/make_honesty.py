"""Writes honesty.json: what scikit-learn, SciPy and NumPy give for stacking, temperatures, calibration, the bootstrap and agreement.

    python crates/eval/tests/golden/make_honesty.py

Inputs are single-precision numbers, so that both sides compute on the same values; none is so small that it is floored.
"""

import json
import pathlib

import numpy as np
from scipy import optimize, special, stats
from sklearn import linear_model

rng = np.random.default_rng(20261122)


def numbers(array):
    return np.asarray(array, np.float64).ravel().tolist()


def singles(array):
    """In as few digits as tell one single-precision number from another."""
    return [float(str(value)) for value in np.asarray(array, np.float32).ravel()]


def skewed(logits, member):
    """What members share, plus what is theirs; some too sure, some not sure enough."""
    return (0.6 + 0.6 * member) * (logits + rng.normal(0, 0.7 + 0.2 * member, logits.shape))


def class_members(rows, classes, members):
    truth = rng.integers(0, classes, rows)
    logits = rng.normal(0, 1, (rows, classes))
    logits[np.arange(rows), truth] += 1
    values = [special.softmax(skewed(logits, member), axis=1).astype(np.float32) for member in range(members)]
    return truth, values


def label_members(rows, labels, members):
    truth = (rng.random((rows, labels)) < 0.4).astype(int)
    logits = rng.normal(0, 1, (rows, labels)) + (2 * truth - 1)
    values = [special.expit(skewed(logits, member)).astype(np.float32) for member in range(members)]
    return truth, values


def centred_logs(values):
    logs = np.log(values.astype(np.float64))
    return logs - logs.mean(axis=1, keepdims=True)


def two_classes(rows=80, members=3, penalty=0.03):
    """Two classes are one log-odds. The weights of the two classes come out equal, and each carries its share of the penalty: the sum
    of the losses over the rows plus penalty * rows * |w|^2, where scikit-learn has |w|^2 / (2 C)."""
    truth, values = class_members(rows, 2, members)
    odds = np.stack([np.diff(centred_logs(member), axis=1)[:, 0] for member in values], axis=1)
    model = linear_model.LogisticRegression(C=1 / (2 * penalty * rows), tol=1e-12, max_iter=10000)
    model.fit(odds, truth)
    return {
        "penalty": penalty,
        "truth": truth.tolist(),
        "members": [singles(member) for member in values],
        "weights": numbers(model.coef_),
        "intercept": float(model.intercept_[0]),
    }


def labels(rows=80, width=2, members=3, penalty=0.02):
    truth, values = label_members(rows, width, members)
    odds = np.stack([special.logit(member.astype(np.float64)) for member in values], axis=2)
    models = [
        linear_model.LogisticRegression(C=1 / (penalty * rows), tol=1e-12, max_iter=10000).fit(
            odds[:, label], truth[:, label]
        )
        for label in range(width)
    ]
    return {
        "penalty": penalty,
        "truth": [np.flatnonzero(row).tolist() for row in truth],
        "members": [singles(member) for member in values],
        "weights": [numbers(model.coef_) for model in models],
        "intercepts": [float(model.intercept_[0]) for model in models],
        **calibration(values[2], truth, sets=True),
    }


def classes(rows=90, width=4, members=3, penalty=0.01):
    truth, values = class_members(rows, width, members)
    logs = np.stack([centred_logs(member) for member in values])
    equal = 1 / members

    def objective(parameters):
        weights, intercepts = parameters[:-width].reshape(members, width), parameters[-width:]
        outputs = (logs * weights[:, None, :]).sum(axis=0) + intercepts
        loss = -special.log_softmax(outputs, axis=1)[np.arange(rows), truth].mean()
        slope = special.softmax(outputs, axis=1)
        slope[np.arange(rows), truth] -= 1
        by_weight = (logs * slope).sum(axis=1) / rows + penalty * (weights - equal)
        gradient = np.concatenate([by_weight.ravel(), slope.mean(axis=0)])
        return loss + penalty / 2 * ((weights - equal) ** 2).sum(), gradient

    start = np.concatenate([np.full(members * width, equal), np.zeros(width)])
    found = optimize.minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-10, "maxiter": 10000})
    intercepts = found.x[-width:] - found.x[-width:].mean()
    return {
        "penalty": penalty,
        "truth": truth.tolist(),
        "members": [singles(member) for member in values],
        "weights": found.x[:-width].reshape(members, width).tolist(),
        "intercepts": intercepts.tolist(),
        **calibration(values[2], truth, sets=False),
        **alike(np.stack([member.argmax(axis=1) for member in values]), truth),
        **resampled_classes(values, truth),
    }


def scores(rows=70, members=3, penalty=0.05):
    truth = rng.uniform(0, 5, rows).astype(np.float32)
    values = [(truth + rng.normal(0.3 * m, 1 + 0.4 * m, rows)).astype(np.float32) for m in range(members)]
    inputs = np.stack(values, axis=1).astype(np.float64)
    rest = truth.astype(np.float64) - inputs.mean(axis=1)
    model = linear_model.Ridge(alpha=penalty * rows, solver="cholesky").fit(inputs, rest)
    residuals = inputs.T - truth.astype(np.float64)
    return {
        "penalty": penalty,
        "truth": singles(truth),
        "members": [singles(member) for member in values],
        "weights": numbers(model.coef_ + 1 / members),
        "intercept": float(model.intercept_),
        "agreement": np.corrcoef(inputs.T).tolist(),
        "error_correlation": np.corrcoef(residuals).tolist(),
        **resampled_scores(values, truth),
    }


def calibration(values, truth, sets):
    """The temperature of the smallest log loss, and Guo et al.'s error in 15 bins."""
    probabilities = values.astype(np.float64)
    rows = np.arange(len(truth))
    if sets:
        odds = special.logit(probabilities)
        signs = 2 * truth - 1

        def loss(log_temperature):
            return np.logaddexp(0, -signs * odds / np.exp(log_temperature)).mean()

        confidence, right = probabilities.ravel(), truth.ravel()
    else:
        logs = np.log(probabilities)

        def loss(log_temperature):
            return -special.log_softmax(logs / np.exp(log_temperature), axis=1)[rows, truth].mean()

        confidence, right = probabilities.max(axis=1), (probabilities.argmax(axis=1) == truth).astype(int)
    bounds = (np.log(0.05), np.log(20))
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    bins = np.clip(np.ceil(confidence * 15).astype(int), 1, 15)
    error = sum(
        (bins == each).mean() * abs(right[bins == each].mean() - confidence[bins == each].mean())
        for each in range(1, 16)
        if (bins == each).any()
    )
    return {"temperature": float(np.exp(found.x)), "calibration_error": float(error)}


def alike(predicted, truth):
    agreement = (predicted[:, None, :] == predicted[None, :, :]).mean(axis=2)
    return {"agreement": agreement.tolist(), "error_correlation": np.corrcoef(predicted != truth).tolist()}


def interval(statistic, *samples):
    found = stats.bootstrap(
        samples, statistic, paired=True, vectorized=False, n_resamples=20000, method="percentile", rng=rng
    )
    return [float(found.confidence_interval.low), float(found.confidence_interval.high)]


def resampled_classes(values, truth):
    right = [(member.argmax(axis=1) == truth).astype(np.float64) for member in values]
    differences = right[1] - right[0]
    # Of a resample only the sum of the differences matters: how many rows each value of it gets is multinomial.
    shares = [(differences == value).mean() for value in (-1, 0, 1)]
    draws = rng.multinomial(len(truth), shares, 1_000_000)
    sums = draws[:, 2] - draws[:, 0]
    return {
        "accuracy_interval": interval(np.mean, right[0]),
        "difference_interval": interval(np.mean, differences),
        "better": float((sums > 0).mean() + 0.5 * (sums == 0).mean()),
        # The same by the normal distribution, as in McNemar's test, but with the variance of the resamples.
        "better_normal": float(stats.norm.cdf(differences.mean() / (differences.std() / np.sqrt(len(truth))))),
    }


def resampled_scores(values, truth):
    samples = (truth.astype(np.float64), values[0].astype(np.float64))
    return {
        "pearson_interval": interval(lambda a, b: stats.pearsonr(a, b).statistic, *samples),
        "spearman_interval": interval(lambda a, b: stats.spearmanr(a, b).statistic, *samples),
        "rmse_interval": interval(lambda a, b: np.sqrt(((a - b) ** 2).mean()), *samples),
    }


golden = {"two_classes": two_classes(), "labels": labels(), "classes": classes(), "scores": scores()}
for case in ("two_classes", "labels", "classes"):
    members = np.array(golden[case]["members"])
    assert 1e-6 < members.min() and members.max() < 1 - 1e-6
path = pathlib.Path(__file__).with_name("honesty.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
