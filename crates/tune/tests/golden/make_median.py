"""Writes median.json: after which evaluations Optuna's MedianPruner stops random trials.

    python crates/tune/tests/golden/make_median.py

Values are rounded to two digits, so that there are ties; some are not a number.
"""

import json
import math
import pathlib

import numpy as np
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
rng = np.random.default_rng(20261122)


def curve(shortest):
    length = int(rng.integers(shortest, 9))
    values = rng.uniform(0.4, 0.7) - rng.uniform(0, 0.03) * np.arange(length) + rng.normal(0, 0.04, length)
    undefined = rng.random(length) < 0.1
    return [None if none else round(float(value), 2) for value, none in zip(values, undefined)]


def number(value):
    return math.nan if value is None else value


def case():
    startup, warmup = int(rng.integers(0, 4)), int(rng.integers(0, 3))
    finished, values = [curve(1) for _ in range(rng.integers(0, 7))], curve(1)
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(startup, warmup))
    for other in finished:
        steps = {step: number(value) for step, value in enumerate(other)}
        study.add_trial(optuna.trial.create_trial(value=0.0, intermediate_values=steps))
    trial = study.ask()
    stopped = []
    for step, value in enumerate(values):
        trial.report(number(value), step)
        stopped.append(bool(trial.should_prune()))
    return {"startup": startup, "warmup": warmup, "finished": finished, "curve": values, "stopped": stopped}


cases = [case() for _ in range(40)]
path = pathlib.Path(__file__).with_name("median.json")
path.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
