"""Writes golden.json: the values scikit-learn and SciPy give for small random predictions.

    python crates/eval/tests/golden/make.py

Inputs are single-precision numbers, written in full, so that both sides compute on the same values.
"""

import json
import pathlib
import warnings

import numpy as np
from scipy import special, stats
from sklearn import metrics

rng = np.random.default_rng(20240521)


def classification(name, rows, classes, used, scale):
    """`used` of `classes` classes occur in the truth; larger `scale` means surer predictions."""
    truth = rng.integers(0, used, rows)
    logits = rng.normal(0, scale, (rows, classes)).astype(np.float32)
    logits[:, used:] -= np.float32(1000)  # never predicted either
    logits[np.arange(rows), truth] += np.float32(scale)
    probabilities = special.softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    predicted = logits.argmax(axis=1)
    exact = special.log_softmax(logits.astype(np.float64), axis=1)
    labels = list(range(classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows sum to 1 in single precision only
        clipped = metrics.log_loss(truth, probabilities.astype(np.float64), labels=labels)
    columns = metrics.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)

    def average(kind):
        values = metrics.precision_recall_fscore_support(truth, predicted, average=kind, zero_division=0)
        return [float(value) for value in values[:3]]

    return {
        "name": name,
        "truth": truth.tolist(),
        "classes": classes,
        "logits": logits.ravel().tolist(),
        "probabilities": probabilities.ravel().tolist(),
        "accuracy": metrics.accuracy_score(truth, predicted),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "log_loss_logits": float(-exact[np.arange(rows), truth].mean()),
        "log_loss_probabilities": float(clipped),
        "precision": columns[0].tolist(),
        "recall": columns[1].tolist(),
        "f1": columns[2].tolist(),
        "support": columns[3].tolist(),
        "macro_average": average("macro"),
        "weighted_average": average("weighted"),
        "confusion": metrics.confusion_matrix(truth, predicted, labels=labels).tolist(),
    }


def label_sets(name, rows, labels, used, rate, scale):
    """Each of the first `used` of `labels` labels stands in about `rate` of the rows; the others nowhere.

    There is no case of one label: scikit-learn takes a single column for classes that exclude each other."""
    truth = (rng.random((rows, labels)) < rate).astype(int)
    truth[:, used:] = 0
    logits = (rng.normal(0, scale, (rows, labels)) + scale * (2 * truth - 1)).astype(np.float32)
    logits[:, used:] -= np.float32(1000)  # never predicted either
    exact = logits.astype(np.float64)
    probabilities = special.expit(exact).astype(np.float32)
    predicted = (probabilities >= 0.5).astype(int)
    columns = metrics.precision_recall_fscore_support(truth, predicted, average=None, zero_division=0)
    # Of each label the two-class log loss; rows of one class only need to be told that there are two.
    clipped = [
        metrics.log_loss(truth[:, label], probabilities[:, label].astype(np.float64), labels=[0, 1])
        for label in range(labels)
    ]

    def average(kind):
        values = metrics.precision_recall_fscore_support(truth, predicted, average=kind, zero_division=0)
        return [float(value) for value in values[:3]]

    return {
        "name": name,
        "labels": labels,
        "truth": [np.flatnonzero(row).tolist() for row in truth],
        "logits": logits.ravel().tolist(),
        "probabilities": probabilities.ravel().tolist(),
        "accuracy": metrics.accuracy_score(truth, predicted),
        "micro_f1": metrics.f1_score(truth, predicted, average="micro", zero_division=0),
        "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "log_loss_logits": float(np.where(truth, -special.log_expit(exact), -special.log_expit(-exact)).mean()),
        "log_loss_probabilities": float(np.mean(clipped)),
        "precision": columns[0].tolist(),
        "recall": columns[1].tolist(),
        "f1": columns[2].tolist(),
        "support": columns[3].tolist(),
        "micro_average": average("micro"),
        "macro_average": average("macro"),
        "weighted_average": average("weighted"),
        "decisions": metrics.multilabel_confusion_matrix(truth, predicted).tolist(),
    }


def regression(name, truth, predicted):
    truth, predicted = truth.astype(np.float32), predicted.astype(np.float32)
    x, y = truth.astype(np.float64), predicted.astype(np.float64)
    residuals = y - x
    return {
        "name": name,
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "pearson": float(stats.pearsonr(x, y).statistic),
        "spearman": float(stats.spearmanr(x, y).statistic),
        "rmse": float(metrics.root_mean_squared_error(x, y)),
        "bias": float(residuals.mean()),
        "standard_deviation": float(residuals.std(ddof=1)),
        "mean_absolute": float(np.abs(residuals).mean()),
        "median_absolute": float(np.median(np.abs(residuals))),
        "largest_absolute": float(np.abs(residuals).max()),
    }


def interval(low_high):
    return [float(low_high.low), float(low_high.high)]


def comparison(name, first, second):
    first, second = np.round(first, 6), np.round(second, 6)
    welch = stats.ttest_ind(second, first, equal_var=False)
    case = {
        "name": name,
        "first": first.tolist(),
        "second": second.tolist(),
        "mean": float(first.mean()),
        "standard_deviation": float(first.std(ddof=1)),
        "interval": [float(v) for v in stats.t.interval(0.95, len(first) - 1, first.mean(), stats.sem(first))],
        "welch_interval": interval(welch.confidence_interval()),
        "welch_degrees_of_freedom": float(welch.df),
        "paired_interval": None,
    }
    if len(first) == len(second):
        case["paired_interval"] = interval(stats.ttest_rel(second, first).confidence_interval())
    return case


scores = rng.integers(0, 26, 60) / 5
degrees = [1, 1.37, 2, 2.5, 3, 4, 5.81, 7, 9, 14.2, 20, 30, 57.3, 100, 365, 1000, 10000]
golden = {
    "classification": [
        classification("four classes", 40, 4, 4, 1.5),
        classification("two classes nowhere, sure to a fault", 25, 5, 3, 30.0),
        classification("binary", 12, 2, 2, 0.5),
    ],
    "regression": [
        regression("scores with ties", scores, np.clip(scores + rng.normal(0, 0.8, 60), 0, 5).round(1)),
        regression("far from zero", 1000 + rng.normal(0, 0.5, 30), 1000 + rng.normal(0, 0.5, 30)),
        regression("inverse", np.arange(7), -np.arange(7) ** 3),
    ],
    "comparison": [
        comparison("five seeds each", rng.normal(0.82, 0.004, 5), rng.normal(0.828, 0.002, 5)),
        comparison("two and three seeds", rng.normal(0.8, 0.01, 2), rng.normal(0.8, 0.001, 3)),
        comparison("fifty and fifty", rng.normal(0.9, 0.01, 50), rng.normal(0.895, 0.02, 50)),
    ],
    "label_sets": [
        label_sets("four labels", 40, 4, 4, 0.3, 1.0),
        label_sets("two labels nowhere, sure to a fault", 25, 5, 3, 0.4, 25.0),
        label_sets("no label anywhere", 6, 3, 0, 0.5, 1.0),
        label_sets("one row", 1, 3, 3, 0.5, 0.5),
    ],
    "quantiles": [[d, float(stats.t.ppf(0.975, d))] for d in degrees],
}
path = pathlib.Path(__file__).with_name("golden.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
