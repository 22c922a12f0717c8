"""Writes space.json: what W&B's own `sweeps` package computes for distributions and for a small grid.

    python crates/tune/tests/golden/make_space.py

Needs `sweeps` (0.3). Probabilities keep clear of the places where one rounded value gives way to the next.
"""

import json
import pathlib
import warnings

warnings.simplefilter("ignore")

from sweeps.grid_search import grid_search_next_runs  # noqa: E402
from sweeps.params import HyperParameter  # noqa: E402

PROBABILITIES = [0.0005, 0.0313, 0.171, 0.383, 0.507, 0.7219, 0.943, 0.9991]

DISTRIBUTIONS = [
    {"min": 0.0, "max": 0.1},
    {"distribution": "uniform", "min": -3, "max": 2},
    {"min": 5, "max": 12},
    {"min": -2000, "max": 40000},
    {"distribution": "q_uniform", "min": 100, "max": 1000, "q": 50},
    {"distribution": "q_uniform", "min": 0.1, "max": 0.9, "q": 0.1},
    {"distribution": "q_uniform", "min": 0, "max": 20},
    {"distribution": "log_uniform", "min": -13.8, "max": -9.9},
    {"distribution": "log_uniform_values", "min": 1e-6, "max": 5e-5},
    {"distribution": "inv_log_uniform", "min": 2.0, "max": 7.0},
    {"distribution": "inv_log_uniform_values", "min": 1e-3, "max": 10},
    {"distribution": "q_log_uniform", "min": 0, "max": 6, "q": 2},
    {"distribution": "q_log_uniform_values", "min": 16, "max": 1024, "q": 16},
    {"distribution": "q_log_uniform_values", "min": 0.01, "max": 10, "q": 0.01},
    {"distribution": "normal"},
    {"distribution": "normal", "mu": 3, "sigma": 0.25},
    {"distribution": "q_normal", "mu": -4, "sigma": 30, "q": 5},
    {"distribution": "log_normal"},
    {"distribution": "log_normal", "mu": -7.5, "sigma": 0.8},
    {"distribution": "q_log_normal", "mu": 3.0, "sigma": 1.2, "q": 0.5},
    {"distribution": "beta"},
    {"distribution": "beta", "a": 2, "b": 5},
    {"distribution": "beta", "a": 0.4, "b": 0.7},
    {"distribution": "beta", "a": 30, "b": 3},
    {"distribution": "q_beta", "a": 2, "b": 3, "q": 0.05},
]

GRID = {
    "method": "grid",
    "parameters": {
        "schedule": {"values": ["linear", "cosine"]},
        "batch": {"values": [64, 32]},
        "optimizer": {"parameters": {"name": {"values": ["adamw", "lion"]}, "beta": {"value": 0.9}}},
        "epochs": {"min": 2, "max": 4},
        "seed": {"value": 7},
    },
}


def numbers(values):
    return [value.item() if hasattr(value, "item") else value for value in values]


def distribution(config):
    parameter = HyperParameter("p", config)
    quantiles = numbers(parameter.ppf(u) for u in PROBABILITIES)
    # A cumulative probability for values that are not rounded; W&B's of rounded ones is that of the law beneath.
    shares = None if "q" in parameter.config or "int" in parameter.type else numbers(parameter.cdf(x) for x in quantiles)
    return {"config": config, "quantiles": quantiles, "cumulative": shares}


def flat(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def grid():
    # Not validated: validation drops nested parameters before the search sees them.
    runs = grid_search_next_runs([], GRID, n=1000)
    configs = [{key: entry["value"] for key, entry in run.config.items()} for run in runs if run is not None]
    return {"config": GRID, "assignments": [dict(sorted(flat(config))) for config in configs]}


golden = {
    "probabilities": PROBABILITIES,
    "distributions": [distribution(config) for config in DISTRIBUTIONS],
    "grid": grid(),
}
lines = [
    f'"probabilities": {json.dumps(golden["probabilities"])}',
    '"distributions": [\n' + ",\n".join(json.dumps(entry) for entry in golden["distributions"]) + "\n]",
    f'"grid": {{"config": {json.dumps(GRID)}, "assignments": [\n'
    + ",\n".join(json.dumps(entry) for entry in golden["grid"]["assignments"])
    + "\n]}",
]
out = pathlib.Path(__file__).with_name("space.json")
out.write_text("{\n" + ",\n".join(lines) + "\n}\n")
