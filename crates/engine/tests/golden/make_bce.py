"""Writes bce.json: PyTorch's binary cross-entropy with logits of small batches, and its gradient.

    pip install torch
    python make_bce.py

Each case is {name, classes, outputs, sets, loss, gradient}: `outputs` is row-major [rows, classes], `sets` has the labels
present in each row, `loss` is the mean over rows and classes, computed in double precision, and `gradient` its gradient.
"""

import json
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

torch.manual_seed(20240521)


def case(name, outputs, sets):
    targets = torch.zeros(outputs.shape, dtype=torch.float64)
    for row, labels in enumerate(sets):
        targets[row, labels] = 1
    # Values that single precision holds, so that both sides compute on the same.
    logits = outputs.float().double().requires_grad_()
    loss = binary_cross_entropy_with_logits(logits, targets)
    loss.backward()
    return {
        "name": name,
        "classes": outputs.shape[1],
        "outputs": logits.detach().flatten().tolist(),
        "sets": sets,
        "loss": loss.item(),
        "gradient": logits.grad.flatten().tolist(),
    }


huge = torch.tensor([[0.0, 100.0, -100.0, 1e30], [-0.0, 88.5, -745.0, -1e30]])
cases = [
    case("three labels", torch.randn(4, 3) * 2, [[0, 2], [], [1], [0, 1, 2]]),
    case("one label", torch.randn(3, 1), [[0], [], [0]]),
    case("huge outputs", huge, [[0, 1, 2], [1, 3]]),
]
Path(__file__).with_name("bce.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
