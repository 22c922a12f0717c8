"""Writes folds.json: how evenly scikit-learn deals classes into folds, with and without groups.

    python crates/data/tests/golden/make_folds.py
"""

import json
import pathlib

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

rng = np.random.default_rng(20240612)


def case(rows, k, groups, shares):
    classes = rng.choice(len(shares), rows, p=shares)
    group = rng.integers(0, groups, rows)
    dealt = [np.bincount(classes[fold], minlength=len(shares)) for _, fold in StratifiedKFold(k).split(classes, classes)]
    totals = np.bincount(classes, minlength=len(shares))
    spreads = []
    for seed in range(9):
        splitter = StratifiedGroupKFold(k, shuffle=True, random_state=seed)
        counts = np.array([
            np.bincount(classes[fold], minlength=len(shares)) for _, fold in splitter.split(classes, classes, group)
        ])
        spreads.append((counts / totals).std(axis=0).mean())
    return {
        "k": k,
        "groups": group.tolist(),
        "classes": classes.tolist(),
        "stratified": np.array(dealt).T.tolist(),
        "grouped_spread": round(float(np.mean(spreads)), 6),
    }


cases = [case(200, 5, 60, [0.4, 0.1, 0.37, 0.13]), case(150, 3, 20, [0.7, 0.3])]
path = pathlib.Path(__file__).parent / "folds.json"
path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
