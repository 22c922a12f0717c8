"""Writes submission.json: what scikit-learn, SciPy and NumPy give for adjustments of predictions and for class shares.

    python crates/eval/tests/golden/make_submission.py

Inputs are single-precision numbers, written in full, so that both sides compute on the same values.
"""

import json
import pathlib

import numpy as np
from scipy import optimize, special, stats
from sklearn.isotonic import IsotonicRegression

rng = np.random.default_rng(20240521)


def numbers(values):
    return [float(value) for value in np.asarray(values).ravel()]


def isotonic(rows, ties):
    x = rng.uniform(0, 5, rows).astype(np.float32)
    if ties:
        x = np.round(x)
    y = np.clip(x + rng.normal(0, 1, rows), 0, 5).astype(np.float32)
    at = np.concatenate([rng.uniform(-1, 6, 20), x[:5]]).astype(np.float32)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(x.astype(np.float64), y.astype(np.float64))
    return {"x": numbers(x), "y": numbers(y), "at": numbers(at), "expected": numbers(fitted.predict(at.astype(np.float64)))}


def quantile(rows):
    x = rng.normal(2.5, 0.5, rows).astype(np.float32)
    y = rng.uniform(0, 5, rows).astype(np.float32)
    at = np.concatenate([rng.uniform(0, 5, 20), x[:5]]).astype(np.float32)
    levels = np.linspace(0, 1, min(rows, 1001))
    knots = [np.quantile(values.astype(np.float64), levels) for values in (x, y)]
    return {"x": numbers(x), "y": numbers(y), "at": numbers(at), "expected": numbers(np.interp(at.astype(np.float64), *knots))}


def prior(rows, classes):
    """Corrected classes are those of the assignment with the largest sum of log-probabilities, a place a true row."""
    truth = rng.integers(0, classes, rows)
    logits = rng.normal(0, 1.5, (rows, classes))
    logits[np.arange(rows), truth] += 1.5
    logits[:, 0] += 2
    p = special.softmax(logits, axis=1).astype(np.float32)
    places = np.sort(truth)
    _, chosen = optimize.linear_sum_assignment(np.log(p.astype(np.float64))[:, places], maximize=True)
    return {"classes": classes, "p": numbers(p), "truth": truth.tolist(), "expected": places[chosen].tolist()}


def shares(training, predicted):
    test = stats.chi2_contingency([training, predicted], correction=False)
    return {
        "training": training,
        "predicted": predicted,
        "chi_square": float(test.statistic),
        "p_value": float(test.pvalue),
    }


golden = {
    "isotonic": [isotonic(40, False), isotonic(40, True), isotonic(1, False)],
    "quantile": [quantile(30), quantile(2)],
    "prior": [prior(60, 4), prior(45, 3), prior(30, 2)],
    "shares": [
        shares([400, 100, 370, 130], [30, 25, 37, 8]),
        shares([4000, 1000], [52, 8]),
        shares([300, 300, 400], [30, 29, 41]),
    ],
}
path = pathlib.Path(__file__).with_name("submission.json")
path.write_text(json.dumps(golden) + "\n")
