"""Golden of SAMME, made with scikit-learn: AdaBoostClassifier over estimators whose predictions are given.

    pip install scikit-learn
    python make_samme.py           # rewrites samme.json beside this script

Each case has the truth of the training rows, what each round predicts for them and for other rows, the weights of the
training rows as each round was fitted to them, the errors and votes of the rounds that count, and the decision function and
prediction for the other rows (null where scikit-learn refuses to fit, as the first round is no better than guessing).
"""

import json
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import AdaBoostClassifier

SEEN = []


class Scripted(ClassifierMixin, BaseEstimator):
    """Says what the script of its round says; a row is its number."""

    def __init__(self, script=None):
        self.script = script

    def fit(self, X, y, sample_weight=None):
        self.round_ = len(SEEN)
        self.classes_ = np.unique(y)
        SEEN.append(sample_weight.copy())
        return self

    def predict(self, X):
        return np.array(self.script[self.round_])[X[:, 0].astype(int)]


def case(name, classes, learning_rate, truth, predicted, others):
    SEEN.clear()
    script = [list(a) + list(b) for a, b in zip(predicted, others)]
    rows, more = len(truth), len(others[0])
    model = AdaBoostClassifier(Scripted(script), n_estimators=len(predicted), learning_rate=learning_rate)
    made = {"name": name, "classes": classes, "learning_rate": learning_rate, "truth": truth}
    made.update({"predicted": predicted, "others": others})
    errors, alphas, decision, prediction = [], [], None, None
    try:
        model.fit(np.arange(rows)[:, None], np.array(truth))
        count = len(model.estimators_)
        errors, alphas = model.estimator_errors_[:count].tolist(), model.estimator_weights_[:count].tolist()
        X = np.arange(rows, rows + more)[:, None]
        decision, prediction = model.decision_function(X).flatten().tolist(), model.predict(X).tolist()
    except ValueError as error:
        assert "worse than random" in str(error)
    made["weights"] = [weights.tolist() for weights in SEEN]
    made.update({"errors": errors, "alphas": alphas, "decision": decision, "prediction": prediction})
    return made


def scripts(random, truth, classes, rounds, right, more=6):
    """Rounds that are right about so many of the rows, and predictions of other rows."""
    predicted = []
    for _ in range(rounds):
        wrong = random.permutation(len(truth))[right:]
        predicted.append([(c + 1 + int(random.integers(classes - 1))) % classes if i in wrong else c for i, c in enumerate(truth)])
    return predicted, random.integers(classes, size=(rounds, more)).tolist()


def cases():
    random = np.random.default_rng(7)
    two, three, four = [0, 1] * 4, [0, 1, 2] * 3, [0, 1, 2, 3] * 2
    yield case("two classes", 2, 1.0, two, *scripts(random, two, 2, 3, 6))
    yield case("three classes, shrunk", 3, 0.5, three, *scripts(random, three, 3, 4, 6))
    yield case("many rounds", 4, 1.0, four, *scripts(random, four, 4, 7, 5))
    predicted, others = scripts(random, three, 3, 3, 7)
    yield case("perfect in the second round", 3, 1.0, three, [predicted[0], three, predicted[2]], others)
    wrong = [(c + 1) % 3 for c in three]
    yield case("guessing in the third round", 3, 1.0, three, [*predicted[:2], wrong], others)
    yield case("guessing from the start", 3, 1.0, three, [wrong, *predicted[:2]], others)


if __name__ == "__main__":
    rounded = json.loads(json.dumps(list(cases())), parse_float=lambda text: float(f"{float(text):.12g}"))
    text = "[\n" + ",\n".join(json.dumps(made) for made in rounded) + "\n]\n"
    (Path(__file__).parent / "samme.json").write_text(text)
