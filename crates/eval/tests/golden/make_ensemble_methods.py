"""Writes ensemble_methods.json: what numpy and scikit-learn make of the members of small ensembles.

    python crates/eval/tests/golden/make_ensemble_methods.py

Soft and hard voting are scikit-learn's VotingClassifier over estimators that know their answers; everything else is written
here in the plainest way. Inputs are single-precision numbers, written in full; results have eight decimals.
"""

import itertools
import json
import pathlib

import numpy as np
from scipy import special, stats
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier

rng = np.random.default_rng(20241122)


class Known(ClassifierMixin, BaseEstimator):
    """Answers with given probabilities; a sample is the number of its row."""

    def __init__(self, probabilities=None):
        self.probabilities = probabilities

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, x):
        return self.probabilities[x[:, 0]]

    def predict(self, x):
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def voting(members, kind, weights=None):
    rows, classes = members[0].shape
    estimators = [(f"m{i}", Known(member)) for i, member in enumerate(members)]
    ensemble = VotingClassifier(estimators, voting=kind, weights=weights)
    x = np.arange(rows)[:, None]
    return ensemble.fit(x, np.arange(rows) % classes), x


def error(truth, values, task):
    values = values.astype(np.float32).astype(np.float64)
    if task == "regression":
        return float(np.sqrt(np.mean((values - truth) ** 2)))
    eps = np.finfo(np.float64).eps
    if task == "labels":
        p = np.clip(values, eps, 1 - eps)
        return float(np.mean(np.where(truth == 1, -np.log(p), -np.log(1 - p))))
    return float(np.mean(-np.log(np.clip(values[np.arange(len(truth)), truth], eps, 1 - eps))))


def score(metric, truth, values, task):
    """Larger is better."""
    values = values.astype(np.float32)
    if metric in ("log_loss", "rmse"):
        return -error(truth, values, task)
    if metric == "pearson":
        return float(stats.pearsonr(truth, values.astype(np.float64)).statistic)
    predicted = (values >= 0.5).astype(int) if task == "labels" else values.argmax(axis=1)
    if metric == "accuracy":
        return float(metrics.accuracy_score(truth, predicted))
    average = metric.removesuffix("_f1")
    return float(metrics.f1_score(truth, predicted, average=average, zero_division=0))


def greedy(metric, truth, members, task, steps):
    quality = lambda values: (score(metric, truth, values, task), -error(truth, values, task))
    picks, path = [], []
    for _ in range(steps):
        tried = [quality(np.mean([members[i].astype(np.float64) for i in picks + [j]], axis=0)) for j in range(len(members))]
        best = max(range(len(members)), key=lambda j: tried[j])  # the first of equals
        picks.append(best)
        path.append(tried[best])
    length = max(range(steps), key=lambda step: path[step]) + 1
    return (np.bincount(picks[:length], minlength=len(members)) / length).tolist()


def proportional(scores):
    goodness = np.maximum(scores, 0)
    return (goodness / goodness.sum()).tolist()


def grid_best(metric, truth, members, task, step):
    """The best score over a grid of three members' weights."""
    best = -np.inf
    for a, b in itertools.product(range(step + 1), repeat=2):
        if a + b <= step:
            weights = np.array([a, b, step - a - b]) / step
            best = max(best, score(metric, truth, np.tensordot(weights, members.astype(np.float64), 1), task))
    return best


def common(task, metric, truth, members):
    truth_list = [np.flatnonzero(row).tolist() for row in truth] if task == "labels" else written(truth) if task == "regression" else truth.tolist()
    scores = np.array([score(metric, truth, member, task) for member in members])
    higher = metric not in ("log_loss", "rmse")
    sharp = np.exp((scores - scores.max()) / 0.02)
    return {
        "metric": metric,
        "truth": truth_list,
        "members": [written(member) for member in members],
        "weighted": proportional(scores if higher else -1 / scores),
        "sharpened": (sharp / sharp.sum()).tolist(),
        "greedy": greedy(metric, truth, members, task, 15),
        "grid": (1 if higher else -1) * grid_best(metric, truth, members[:3], task, 50),
    }


def rounded(values):
    return np.asarray(values, dtype=np.float64).ravel().round(8).tolist()


def written(values):
    """The shortest decimals that read back as these single-precision numbers."""
    return [float(str(value)) for value in values.astype(np.float32).ravel()]


def classes(metric, rows, count, width):
    truth = rng.integers(0, width, rows)
    common_noise = rng.normal(0, 0.8, (rows, width))
    members = []
    for _ in range(count):
        logits = common_noise + rng.normal(0, 1.2, (rows, width))
        logits[np.arange(rows), truth] += rng.uniform(0.6, 1.6)
        members.append(special.softmax(logits, axis=1).round(4).astype(np.float32))
    # Certain members, whose zeros must not overrule the others.
    members[0][3] = np.eye(width, dtype=np.float32)[0]
    members[1][3] = np.eye(width, dtype=np.float32)[width - 1]
    members = np.stack(members)
    doubles = members.astype(np.float64)
    soft, x = voting(doubles, "soft")
    weighted, _ = voting(doubles, "soft", np.arange(1, count + 1) / (count * (count + 1) / 2))
    votes = np.stack([np.bincount(row, minlength=width) for row in members.argmax(axis=2).T])
    tied = votes == votes.max(axis=1, keepdims=True)
    hard = np.where(tied, doubles.mean(axis=0), -1).argmax(axis=1)
    hard_sklearn, _ = voting(doubles, "hard")
    clear = tied.sum(axis=1) == 1
    assert (hard_sklearn.predict(x)[clear] == hard[clear]).all() and clear.any()
    geometric = special.softmax(np.log(np.maximum(doubles, np.finfo(np.float32).eps)).mean(axis=0), axis=1)
    return common("classes", metric, truth, members) | {
        "width": width,
        "soft": rounded(soft.predict_proba(x)),
        "ramp": rounded(weighted.predict_proba(x)),
        "geometric": rounded(geometric),
        "hard": hard.tolist(),
        "shares": rounded(votes / count),
        "ties": int((~clear).sum()),
    }


def labels(metric, rows, count, width):
    truth = (rng.random((rows, width)) < 0.35).astype(int)
    logits = [rng.normal(0, 1.3, (rows, width)) + rng.uniform(0.6, 1.4) * (2 * truth - 1) for _ in range(count)]
    members = special.expit(np.stack(logits)).round(4).astype(np.float32)
    members[0, 0] = 0
    members[1, 0] = 1
    doubles = members.astype(np.float64)
    floor = float(np.finfo(np.float32).eps)
    geometric = special.expit(special.logit(np.clip(doubles, floor, 1 - floor)).mean(axis=0))
    votes = (members >= 0.5).sum(axis=0)
    hard = np.where(2 * votes == count, doubles.mean(axis=0) >= 0.5, 2 * votes > count).astype(int)
    return common("labels", metric, truth, members) | {
        "width": width,
        "soft": rounded(doubles.mean(axis=0)),
        "ramp": rounded(np.average(doubles, axis=0, weights=np.arange(1, count + 1))),
        "geometric": rounded(geometric),
        "hard": [np.flatnonzero(row).tolist() for row in hard],
        "shares": rounded(votes / count),
        "ties": int((2 * votes == count).sum()),
    }


def regression(metric, rows, count, buckets):
    truth = (rng.integers(0, 26, rows) / 5).astype(np.float32)
    bends = [lambda s: s, lambda s: 5 * (s / 5) ** 2, lambda s: np.sqrt(np.maximum(s, 0) * 5), lambda s: 2 + s / 10]
    members = []
    for i in range(count):
        noisy = np.clip(truth + rng.normal(0, 0.9 + 0.2 * i, rows), 0, 5)
        members.append(np.round(bends[i % len(bends)](noisy), 2).astype(np.float32))
    members = np.stack(members)
    new = np.concatenate([members[:, :10] + np.float32(0.013), np.full((count, 1), -9), np.full((count, 1), 9)], axis=1)
    new = new.astype(np.float32)
    ranks = []
    for known, asked in zip(members, new):
        distinct = np.unique(known)
        ranks.append(np.interp(asked, distinct, [(stats.rankdata(known)[known == v][0] - 1) / (rows - 1) for v in distinct]))
    low, high = truth.min(), truth.max()
    edges = np.linspace(low, high, buckets + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    bucketed, ties = [], 0
    for row in new.T.astype(np.float64):
        places = np.clip(np.digitize(row, edges) - 1, 0, buckets - 1)
        votes = np.bincount(places, minlength=buckets)
        winners = np.flatnonzero(votes == votes.max())
        ties += len(winners) > 1
        winner = min(winners, key=lambda bucket: abs(centres[bucket] - row.mean()))
        bucketed.append(row[places == winner].mean())
    return common("regression", metric, truth, members) | {
        "new": [written(values) for values in new],
        "soft": rounded(new.astype(np.float64).mean(axis=0)),
        "rank": rounded(np.quantile(truth.astype(np.float64), np.mean(ranks, axis=0))),
        "bucket_count": buckets,
        "buckets": rounded(bucketed),
        "ties": ties,
    }


golden = {
    "classes": [
        classes("accuracy", 36, 4, 3),
        classes("macro_f1", 24, 5, 4),
        classes("log_loss", 24, 3, 2),
    ],
    "labels": [labels("micro_f1", 20, 4, 3), labels("accuracy", 20, 3, 3), labels("macro_f1", 20, 4, 2)],
    "regression": [regression("pearson", 30, 4, 6), regression("rmse", 40, 3, 10)],
}
path = pathlib.Path(__file__).with_name("ensemble_methods.json")
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
