"""Goldens of the losses, made with PyTorch and sentence-transformers: value and gradient of each, in float64.

    pip install torch sentence-transformers
    python make_losses.py          # rewrites losses.json beside this script

losses.json holds
    classes, scores, buckets    the inputs: outputs (row-major) and targets; some outputs are ±80
    cases                       a list of {loss, …its parameters, value, gradient}; the value is the mean that PyTorch's
                                reduction="mean" gives (focal: the mean over rows), the gradient that of the value

PyTorch has no focal loss: it is written out here over autograd, with log(1 - p) as the log-sum-exp of the other classes, so
that its gradient is finite where p rounds to 1; where 1 - p is far from 0 the script compares it with the textbook form.
"""

import json
from pathlib import Path

import torch
from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss
from torch.nn.functional import cross_entropy, huber_loss, l1_loss, mse_loss, softmax

torch.set_num_threads(1)

OUTPUTS = [
    [1.0, 2.0, 3.0],
    [-1.0, 0.5, 100.0],
    [80.0, -80.0, 0.0],
    [80.0, -80.0, 0.0],
    [0.25, -0.5, 0.125],
    [-12.0, -10.0, -14.0],
]
CLASSES = [0, 2, 0, 1, 1, 1]
WEIGHTS = [0.375, 2.25, 1.5]

SCORES = [0.0, 2.5, 1.0, 4.0, 3.0, -0.75, 5.0]
SCORE_OUTPUTS = [1.0, 2.0, -3.0, 4.0, 83.0, -80.0, 4.75]
RANGE = [0.0, 5.0]
# The embeddings of three pairs of texts, for which sentence-transformers is asked; their cosines are the outputs.
EMBEDDINGS = [[[1.0, 0.0], [1.0, 2.0]], [[0.5, -1.0], [-1.0, 2.0]], [[3.0, 1.0], [2.0, 1.0]]]
COSINE_SCORES = [2.0, 0.5, 5.0]

BUCKETS = [0.0, 1.25, 2.5, 3.75, 5.0]
BUCKET_OUTPUTS = [
    [0.5, -1.0, 2.0, 0.0, 1.0],
    [80.0, 0.0, -80.0, 1.0, 2.0],
    [-3.0, -2.0, -1.0, 0.0, 80.0],
    [0.0, 0.0, 0.0, 0.0, 0.0],
]
BUCKET_SCORES = [3.0, 1.25, 4.9375, 0.3125]


def numbers(tensor):
    return [float(f"{x:.8g}") for x in tensor.flatten().tolist()]


def case(name, outputs, value_of, **parameters):
    outputs = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    value = value_of(outputs)
    value.backward()
    return {"loss": name, **parameters, "value": numbers(value)[0], "gradient": numbers(outputs.grad)}


def focal(outputs, gamma, weights, smoothing):
    classes = torch.tensor(CLASSES)
    entropy = cross_entropy(outputs, classes, weights, reduction="none", label_smoothing=smoothing)
    right = torch.nn.functional.one_hot(classes, outputs.shape[1]).bool()
    others = outputs.masked_fill(right, float("-inf")).logsumexp(1) - outputs.logsumexp(1)
    loss = (gamma * others).exp() * entropy
    textbook = (1 - softmax(outputs, 1)[right]) ** gamma * entropy
    tame = others.exp() > 1e-3
    assert torch.allclose(loss[tame], textbook[tame], rtol=1e-9)
    return loss.mean()


def class_cases():
    classes = torch.tensor(CLASSES)
    for weights in (None, WEIGHTS):
        tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
        for smoothing in (0.0, 0.1):
            shared = {"weights": weights, "label_smoothing": smoothing}
            entropy = lambda x: cross_entropy(x, classes, tensor, label_smoothing=smoothing)
            yield case("cross_entropy", OUTPUTS, entropy, **shared)
            for gamma in (0.0, 0.5, 2.0, 5.0):
                yield case("focal", OUTPUTS, lambda x: focal(x, gamma, tensor, smoothing), gamma=gamma, **shared)


def score_cases():
    scores = torch.tensor(SCORES, dtype=torch.float64)
    yield case("l1", SCORE_OUTPUTS, lambda x: l1_loss(x, scores))
    yield case("l2", SCORE_OUTPUTS, lambda x: mse_loss(x, scores))
    for delta in (0.5, 1.0, 2.5):
        yield case("huber", SCORE_OUTPUTS, lambda x: huber_loss(x, scores, delta=delta), huber_delta=delta)
        both = lambda x: l1_loss(x, scores) + huber_loss(x, scores, delta=delta)
        yield case("l1+huber", SCORE_OUTPUTS, both, huber_delta=delta)


def cosine_case():
    """The value is that of sentence-transformers for the embeddings, the gradient that of its definition for the cosines."""
    first, second = torch.tensor(EMBEDDINGS, dtype=torch.float64).unbind(1)
    cosines = torch.cosine_similarity(first, second)
    low, high = RANGE
    scaled = (torch.tensor(COSINE_SCORES, dtype=torch.float64) - low) / (high - low)

    class Fixed(torch.nn.Module):
        def forward(self, features):
            return {"sentence_embedding": features["embedding"]}

    theirs = CosineSimilarityLoss(Fixed())([{"embedding": first}, {"embedding": second}], scaled)
    made = case("cosine", cosines.tolist(), lambda x: mse_loss(x, scaled))
    assert abs(made["value"] - theirs.item()) < 1e-6
    inputs = {"outputs": numbers(cosines), "targets": COSINE_SCORES, "score_range": RANGE}
    return {**made, **inputs, "value": numbers(theirs)[0]}


def bucket_cases():
    centres = torch.tensor(BUCKETS, dtype=torch.float64)
    scores = torch.tensor(BUCKET_SCORES, dtype=torch.float64)
    # A triangle around each centre, which is another way to say: linearly to the two neighbours.
    shares = (1 - (scores[:, None] - centres).abs() / (centres[1] - centres[0])).clamp(min=0)
    outputs = torch.tensor(BUCKET_OUTPUTS, dtype=torch.float64)
    expectations = numbers(softmax(outputs, 1) @ centres)
    for smoothing in (0.0, 0.1):
        entropy = lambda x: cross_entropy(x, shares, label_smoothing=smoothing)
        yield case("buckets", BUCKET_OUTPUTS, entropy, label_smoothing=smoothing, expectations=expectations)


if __name__ == "__main__":
    flat = lambda rows: [x for row in rows for x in row]
    inputs = {
        "classes": {"outputs": flat(OUTPUTS), "targets": CLASSES},
        "scores": {"outputs": SCORE_OUTPUTS, "targets": SCORES},
        "buckets": {"outputs": flat(BUCKET_OUTPUTS), "targets": BUCKET_SCORES, "centres": BUCKETS},
    }
    cases = [*class_cases(), *score_cases(), cosine_case(), *bucket_cases()]
    lines = [f'"{key}": {json.dumps(value)},' for key, value in inputs.items()]
    text = "{" + "\n".join(lines) + '\n"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n"
    (Path(__file__).parent / "losses.json").write_text(text)
