"""How far the logits of a checkpoint are from single precision, by how its linear layers compute.

    python strassen_error.py MODEL TABLE.csv COLUMN [ROWS]

Products of rounded operands, those of seven halves (src/strassen.rs), those of whole numbers (src/fixed.rs) and, of transformers,
autocast and a model in bfloat16, over texts of the same length at once, none padded. Errors are root mean squares, by the spread of the logits over the texts, and by
the size of the last hidden states. Needs torch and transformers.
"""
import csv
import sys
from collections import defaultdict

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def rounded(x):
    return x.to(torch.bfloat16).float()


def product(x, w, b):
    return rounded(x) @ rounded(w).t() + b


def strassen_product(x, w, b):
    x, w = rounded(x), rounded(w).t()
    (a00, a01), (a10, a11) = (x[:, i::2].chunk(2, -1) for i in (0, 1))
    (b00, b01), (b10, b11) = (half.chunk(2, -1) for half in w.chunk(2, 0))
    m = [
        rounded(left) @ rounded(right)
        for left, right in [
            (a00 + a11, b00 + b11), (a10 + a11, b00), (a00, b01 - b11), (a11, b10 - b00), (a00 + a01, b11),
            (a10 - a00, b00 + b01), (a01 - a11, b10 + b11),
        ]
    ]
    first = torch.cat([m[0] + m[3] - m[4] + m[6], m[2] + m[4]], -1)
    second = torch.cat([m[1] + m[3], m[0] - m[1] + m[2] + m[5]], -1)
    return torch.stack([first, second], 2).flatten(1, 2) + b


def whole_product(x, w, b):
    """Exact sums of what src/fixed.rs rounds."""
    x = rounded(x)
    largest, norm = x.abs().amax(-1, keepdim=True).double(), x.double().norm(dim=-1, keepdim=True)
    power = torch.minimum(12 - largest.log2().floor(), (46200 / norm).log2().floor())
    largest, norm = w.abs().amax(-1, keepdim=True).double(), w.double().norm(dim=-1, keepdim=True)
    factor = torch.minimum(8191 / largest, 46200 / norm)
    left, right = (x * 2**power).round() / 2**power, (w * factor).round() / factor
    return (left @ right.t()).float() + b


def main(directory, table, column, rows=400):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    load = lambda **options: AutoModelForSequenceClassification.from_pretrained(directory, **options).eval()
    batches = defaultdict(list)
    with open(table, encoding="utf-8-sig", newline="") as lines:
        for _, row in zip(range(int(rows)), csv.DictReader(lines)):
            ids = tokenizer(row[column], truncation=True, max_length=128)["input_ids"]
            # An even number, as only pairs of tokens are shown here.
            ids = ids if len(ids) % 2 == 0 else ids[:-2] + ids[-1:]
            batches[len(ids)].append(ids)
    batches = [torch.tensor(ids) for length, ids in batches.items() if length > 2]

    def outputs(model):
        with torch.no_grad():
            passes = [model(input_ids=batch, output_hidden_states=True) for batch in batches]
        logits = torch.cat([out.logits.float() for out in passes])
        return logits, torch.cat([out.hidden_states[-1].float().flatten(0, 1) for out in passes])

    model = load()
    exact, exact_hidden = outputs(model)
    spread = (exact - exact.mean(0)).pow(2).mean().sqrt()

    def report(name, results):
        logits, hidden = results
        error = (logits - exact).pow(2).mean().sqrt() / spread
        hidden_error = (hidden - exact_hidden).norm() / exact_hidden.norm()
        print(f"{name:24} logits {error:.5f}   hidden states {hidden_error:.5f}")

    encoder = [layer for layer in model.base_model.encoder.modules() if isinstance(layer, torch.nn.Linear)]
    for name, multiply in [("rounded operands", product), ("seven halves", strassen_product), ("whole numbers", whole_product)]:
        for layer in encoder:
            layer.forward = lambda x, layer=layer, multiply=multiply: multiply(x, layer.weight, layer.bias)
        report(name, outputs(model))
    for layer in encoder:
        del layer.forward
    with torch.autocast("cpu", dtype=torch.bfloat16):
        report("transformers, autocast", outputs(model))
    report("transformers, bfloat16", outputs(load(dtype=torch.bfloat16)))


if __name__ == "__main__":
    main(*sys.argv[1:])
