"""Writes importance.json: what Optuna's fANOVA and SciPy's Spearman correlation say of small synthetic studies.

    python crates/tune/tests/golden/make_importance.py

Points are coordinates from 0 to 1, as the crate has them: a level of an ordinal or categorical dimension stands at the middle of
its cell. Optuna sees numbers as uniform on [0, 1] and categories as categories, which it encodes one-hot, so that only there the
trees of both sides are cut differently. Optuna's figures are means over forests of several seeds.
"""

import itertools
import json
import pathlib
import warnings

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator
from scipy import stats

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = np.random.default_rng(20240611)
FORESTS = 8


def choice(kind):
    return isinstance(kind, list) and kind[0] == "categorical"


def coordinates(rows, kinds):
    columns = []
    for kind in kinds:
        if kind == "continuous":
            columns.append(np.round(rng.random(rows), 3))
        else:
            columns.append(np.round((rng.integers(0, kind[1], rows) + 0.5) / kind[1], 3))
    return np.stack(columns, axis=1)


def fanova(kinds, points, scores, seed):
    """The share of each dimension, and, unless there are categories, what each pair adds to the shares of its two."""
    distributions = {
        f"p{at:02}": optuna.distributions.CategoricalDistribution(list(range(kind[1])))
        if choice(kind)
        else optuna.distributions.FloatDistribution(0.0, 1.0)
        for at, kind in enumerate(kinds)
    }
    study = optuna.create_study()
    for point, score in zip(points, scores):
        params = {
            f"p{at:02}": int(value * kind[1]) if choice(kind) else float(value)
            for at, (kind, value) in enumerate(zip(kinds, point))
        }
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=float(score)))
    evaluator = FanovaImportanceEvaluator(seed=seed)
    single = evaluator.evaluate(study)
    single = np.array([single[name] for name in distributions])
    forest = evaluator._evaluator
    pairs = {}
    if any(map(choice, kinds)):
        return single, pairs  # over one-hot columns this takes minutes
    for a, b in itertools.combinations(range(len(kinds)), 2):
        raw = np.concatenate([forest._column_to_encoded_columns[at] for at in (a, b)])
        share = np.mean([tree.get_marginal_variance(raw) / tree.variance for tree in forest._trees])
        pairs[a, b] = share - single[a] - single[b]
    return single, pairs


def study(name, rows, kinds, objective):
    points = coordinates(rows, kinds)
    scores = np.round([objective(*point) for point in points], 4)
    forests = [fanova(kinds, points, scores, seed) for seed in range(FORESTS)]
    pairs = {pair: float(np.mean([each[pair] for _, each in forests])) for pair in forests[0][1]}
    return {
        "name": name,
        "kinds": kinds,
        "points": points.tolist(),
        "scores": scores.tolist(),
        "importance": np.round(np.mean([single for single, _ in forests], axis=0), 4).tolist(),
        "pairs": [[a, b, round(share, 4)] for (a, b), share in pairs.items()],
        "spearman": [
            None if choice(kind) else float(stats.spearmanr(points[:, at], scores).statistic)
            for at, kind in enumerate(kinds)
        ],
    }


C = "continuous"
studies = [
    study("additive", 100, [C, C, C], lambda a, b, c: a - 2 * b + 3 * c),
    study("interaction", 120, [C, C, C, C], lambda a, b, c, d: 4 * (a - 0.5) * (b - 0.5) + 0.5 * c),
    study(
        "choices",
        120,
        [["categorical", 3], ["ordinal", 4], C, C],
        lambda a, b, c, d: [0.0, 1.0, 0.2][int(a * 3)] + 0.8 * b + 0.5 * c,
    ),
    study(
        "fine-tuning",
        60,
        [C, ["ordinal", 4], C, ["ordinal", 3], C, ["categorical", 3], C],
        lambda rate, epochs, decay, batch, gamma, schedule, smoothing: 0.85
        - 0.9 * (rate - 0.6) ** 2
        + 0.08 * epochs
        - 0.05 * batch
        + [0.02, 0.0, -0.05][int(schedule * 3)]
        - 0.03 * gamma
        + rng.normal(0, 0.01),
    ),
]
path = pathlib.Path(__file__).with_name("importance.json")
path.write_text("[\n" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in studies) + "\n]\n")
