"""Golden of weighted rows, made with PyTorch: the mean of the rows' weighted cross-entropies, and its gradient, in float64.

    pip install torch
    python make_row_weights.py     # rewrites row_weights.json beside this script

The rows' losses are cross_entropy(reduction="none"), which class weights have multiplied already; the mean is
sum(row_weight * loss) / sum(class_weight), which is what PyTorch's reduction="mean" divides by without row weights: a batch of
light rows has a small mean. The script checks that a row of weight w adds what w rows do, for whole numbers.
"""

import json
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

torch.set_num_threads(1)

OUTPUTS = [[1.0, 2.0, 3.0], [-1.0, 0.5, 10.0], [8.0, -8.0, 0.0], [0.25, -0.5, 0.125], [-2.0, -1.0, -4.0]]
CLASSES = [0, 2, 1, 1, 0]
ROW_WEIGHTS = [0.5, 0.25, 1.25, 1.5, 0.0]
CLASS_WEIGHTS = [0.375, 2.25, 1.5]


def mean(outputs, row_weights, class_weights, smoothing):
    classes = torch.tensor(CLASSES)
    losses = cross_entropy(outputs, classes, class_weights, reduction="none", label_smoothing=smoothing)
    of_classes = torch.ones(len(CLASSES)).double() if class_weights is None else class_weights[classes]
    return (row_weights * losses).sum() / of_classes.sum()


def case(class_weights, smoothing):
    tensor = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float64)
    outputs = torch.tensor(OUTPUTS, dtype=torch.float64, requires_grad=True)
    value = mean(outputs, torch.tensor(ROW_WEIGHTS, dtype=torch.float64), tensor, smoothing)
    value.backward()

    times = torch.tensor([1, 3, 2, 1, 2])
    rows = torch.repeat_interleave(torch.arange(len(CLASSES)), times)
    ones = torch.ones(len(CLASSES), dtype=torch.float64)
    plain = cross_entropy(outputs, torch.tensor(CLASSES), tensor, label_smoothing=smoothing)
    assert torch.allclose(mean(outputs, ones, tensor, smoothing), plain)
    repeated = cross_entropy(outputs[rows], torch.tensor(CLASSES)[rows], tensor, reduction="sum", label_smoothing=smoothing)
    of_classes = ones.sum() if tensor is None else tensor[torch.tensor(CLASSES)].sum()
    assert torch.allclose(mean(outputs, times.double(), tensor, smoothing), repeated / of_classes)

    gradient = [float(f"{x:.8g}") for x in outputs.grad.flatten().tolist()]
    return {
        "class_weights": class_weights,
        "label_smoothing": smoothing,
        "value": float(f"{value.item():.8g}"),
        "gradient": gradient,
    }


if __name__ == "__main__":
    cases = [case(weights, smoothing) for weights in (None, CLASS_WEIGHTS) for smoothing in (0.0, 0.1)]
    inputs = {"outputs": [x for row in OUTPUTS for x in row], "classes": CLASSES, "row_weights": ROW_WEIGHTS}
    lines = [f'"{key}": {json.dumps(value)},' for key, value in inputs.items()]
    text = "{" + "\n".join(lines) + '\n"cases": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]}\n"
    (Path(__file__).parent / "row_weights.json").write_text(text)
