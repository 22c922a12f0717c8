"""Writes hyperband.json: which of many random trials W&B's own package stops early.

    python crates/tune/tests/golden/make_hyperband.py        # needs the package `sweeps`

Values are rounded to two digits, so that there are ties.
"""

import json
import pathlib

import numpy as np
from sweeps import RunState, SweepRun
from sweeps.hyperband_stopping import hyperband_stop_runs

rng = np.random.default_rng(20261122)


def case():
    eta = float(rng.choice([1.5, 2, 3, 4]))
    bands = {"min_iter": int(rng.integers(1, 5))}
    if rng.random() < 0.5:
        max_iter = int(rng.integers(5, 30))
        bands = {"max_iter": max_iter, "s": int(rng.integers(1, 5))}
    strict = bool(rng.random() < 0.5)
    curves, running = [], []
    for _ in range(rng.integers(1, 10)):
        length = int(rng.integers(0, 14))
        level, slope = rng.uniform(0.2, 0.9), rng.uniform(-0.04, 0.01)
        values = level + slope * np.arange(length) + rng.normal(0, 0.05, length)
        curves.append([round(float(value), 2) for value in values])
        running.append(bool(rng.random() < 0.6))
    runs = [
        SweepRun(
            name=str(number),
            state=RunState.running if still else RunState.finished,
            history=[{"loss": value} for value in values],
        )
        for number, (values, still) in enumerate(zip(curves, running), 1)
    ]
    config = {
        "method": "random",
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": {"a": {"values": [1, 2]}},
        "early_terminate": {"type": "hyperband", "eta": eta, "strict": strict, **bands},
    }
    stopped = [int(run.name) for run in hyperband_stop_runs(runs, config)]
    return {**bands, "eta": eta, "strict": strict, "running": running, "curves": curves, "stopped": stopped}


cases = [case() for _ in range(60)]
path = pathlib.Path(__file__).with_name("hyperband.json")
path.write_text("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
