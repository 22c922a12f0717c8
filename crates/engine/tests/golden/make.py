"""Goldens of the whole model, made with transformers and PyTorch: the engine is compared with these files.

    pip install torch transformers safetensors
    python make.py                 # rewrites every case directory beside this script

A case directory holds
    config.json, model.safetensors   a tiny model with large random weights, as `save_pretrained` writes it
    batches.json                     a list of batches, each {input_ids, token_type_ids, labels}; the rows are ragged
    expected.json                    {model, hyper, logits, loss, losses, learning_rates, grad_norms}
    gradients.safetensors            every parameter's gradient of the first batch's loss, before clipping
    after10.safetensors              every parameter after one AdamW step a batch
The cases `accumulate` and `frozen` start from the model of another case: the first has after3.safetensors and no gradients,
the second `freeze_layers` in `hyper` and zeros for the gradients of what is frozen.

Every tensor is float32 and has the name and the shape of the model's parameter. `logits`, `loss` and the gradients are of
the first batch at the starting weights; `losses[i]`, `learning_rates[i]` and `grad_norms[i]` (before clipping) are those of
optimiser step i, the first of which has learning rate 0 where there is a warm-up.

`token_type_ids` are as a BERT tokeniser gives them, also where the model has a single segment (klue's RoBERTa): then PyTorch is
given zeros, and so must the engine clamp them.

Every case is computed a second time in float64. The script fails when float32 and float64 differ by more than NOISE of a
tensor's largest value, so that a golden never asks for more than float32 can give. Attention key biases are excepted: the
softmax does not see them, so their true gradient is zero, and Adam turns its rounding into whole steps.
"""

import json
import random
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, mse_loss
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    Trainer,
    get_linear_schedule_with_warmup,
)
from transformers.utils.logging import disable_progress_bar

HERE = Path(__file__).parent
NOISE = 5e-6
VOCABULARY = 61
LONGEST = 20
HYPER = {
    "learning_rate": 5e-3,
    "weight_decay": 0.1,
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_epsilon": 1e-8,
    "max_grad_norm": 0.5,
    "warmup_steps": 3,
    "accumulate": 1,
}
COMMON = {
    "vocab_size": VOCABULARY,
    "num_hidden_layers": 2,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "attn_implementation": "eager",
}
WIDE = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 40, "type_vocab_size": 2}
NARROW = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 37, "type_vocab_size": 2}
BERT = (BertConfig, BertForSequenceClassification)
ROBERTA = (RobertaConfig, RobertaForSequenceClassification)
ELECTRA = (ElectraConfig, ElectraForSequenceClassification)

# name: architecture, configuration, pairs of texts, labels (1: regression), seed
CASES = {
    "bert_cls": (BERT, WIDE, False, 4, 1),
    "bert_reg_pairs": (BERT, NARROW, True, 1, 2),
    "bert_gelu_new_cls": (BERT, {**NARROW, "hidden_act": "gelu_new"}, False, 4, 13),
    "roberta_cls_pairs": (ROBERTA, {**NARROW, "type_vocab_size": 1}, True, 4, 4),
    "roberta_reg": (ROBERTA, {**WIDE, "type_vocab_size": 1}, False, 1, 5),
    "electra_cls": (ELECTRA, {**NARROW, "embedding_size": 16}, False, 4, 6),
    "electra_reg_pairs": (ELECTRA, {**WIDE, "embedding_size": 24}, True, 1, 7),
    "electra_proj_cls_pairs": (ELECTRA, {**WIDE, "embedding_size": 10}, True, 4, 8),
    "electra_proj_reg": (ELECTRA, {**NARROW, "embedding_size": 20}, False, 1, 9),
}


def make_model(architecture, settings, labels, seed):
    """A model whose every weight matters: biases are not zero, LayerNorms not the identity."""
    config_class, model_class = architecture
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2} if architecture is ROBERTA else {"pad_token_id": 0}
    problem = "regression" if labels == 1 else "single_label_classification"
    config = config_class(**COMMON, **settings, **special, num_labels=labels, problem_type=problem)
    model = model_class(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm.weight" in name:
                parameter.copy_(1 + 0.2 * noise.clamp(-2, 2))
            else:
                parameter.copy_(noise * (0.1 if name.endswith("bias") else 0.5 if "_embeddings" in name else 0.25))
    return model.eval()


def make_batches(architecture, pairs, labels, sizes, seed):
    """Ragged rows between the special tokens of the architecture, from two tokens (an empty text) to LONGEST."""
    draw = random.Random(seed)
    first, separator, start = (0, 2, 3) if architecture is ROBERTA else (2, 3, 4)

    def row(length):
        words = [draw.randrange(start, VOCABULARY) for _ in range(length - (3 if pairs else 2))]
        if not pairs:
            return [first, *words, separator], [0] * length
        middle = draw.randint(0, len(words))
        ids = [first, *words[:middle], separator, *words[middle:], separator]
        return ids, [0] * (middle + 2) + [1] * (length - middle - 2)

    batches = []
    for size in sizes:
        lengths = [draw.randint(3, LONGEST) for _ in range(size)]
        lengths[draw.randrange(size)] = 3 if pairs else 2
        if not batches:
            lengths[-1] = LONGEST
        rows = [row(length) for length in lengths]
        targets = [round(draw.uniform(0, 5), 1) if labels == 1 else draw.randrange(labels) for _ in rows]
        batches.append({"input_ids": [r[0] for r in rows], "token_type_ids": [r[1] for r in rows], "labels": targets})
    return batches


def forward(model, batch):
    """Logits of the padded batch, and the loss summed over its rows."""
    width = max(map(len, batch["input_ids"]))
    segments = model.config.type_vocab_size - 1
    ids, kinds, mask = [], [], []
    for row, kind in zip(batch["input_ids"], batch["token_type_ids"]):
        padding = width - len(row)
        ids.append(row + [model.config.pad_token_id] * padding)
        kinds.append([min(k, segments) for k in kind] + [0] * padding)
        mask.append([1] * len(row) + [0] * padding)
    inputs = {"input_ids": ids, "token_type_ids": kinds, "attention_mask": mask}
    labels = torch.tensor(batch["labels"], dtype=model.dtype if model.config.num_labels == 1 else torch.long)
    output = model(**{name: torch.tensor(value) for name, value in inputs.items()}, labels=labels)
    if model.config.num_labels == 1:
        total = mse_loss(output.logits.squeeze(-1), labels, reduction="sum")
    else:
        total = cross_entropy(output.logits, labels, reduction="sum")
    torch.testing.assert_close(total / len(labels), output.loss)  # the loss is the one the model itself computes
    return output.logits, total


def parameters(model):
    """Copies of the weights, by name."""
    return {name: p.detach().clone().contiguous() for name, p in model.named_parameters()}


def first_batch(model, batch):
    """Logits, mean loss and gradients of one batch; the model is left as it was."""
    logits, total = forward(model, batch)
    loss = total / len(batch["labels"])
    loss.backward()
    gradients = {
        name: (torch.zeros_like(p) if p.grad is None else p.grad).detach().clone().contiguous()
        for name, p in model.named_parameters()
    }
    model.zero_grad()
    return logits.detach(), loss.item(), gradients


def train(model, batches, hyper):
    """One epoch as HF Trainer runs it: decay groups, warm-up, accumulation, clipping, AdamW, linear schedule."""
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    named = list(model.named_parameters())
    groups = [
        {"params": [p for n, p in named if n in decayed], "weight_decay": hyper["weight_decay"]},
        {"params": [p for n, p in named if n not in decayed], "weight_decay": 0.0},
    ]
    betas = (hyper["adam_beta1"], hyper["adam_beta2"])
    optimiser = torch.optim.AdamW(groups, lr=hyper["learning_rate"], betas=betas, eps=hyper["adam_epsilon"])
    windows = [batches[i : i + hyper["accumulate"]] for i in range(0, len(batches), hyper["accumulate"])]
    schedule = get_linear_schedule_with_warmup(optimiser, hyper["warmup_steps"], len(windows))
    record = {"losses": [], "learning_rates": [], "grad_norms": []}
    for window in windows:
        rows = sum(len(batch["labels"]) for batch in window)
        loss = 0.0
        for batch in window:
            share = forward(model, batch)[1] / rows  # every row of the window weighs the same
            share.backward()
            loss += share.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), hyper["max_grad_norm"])
        record["losses"].append(loss)
        record["learning_rates"].append(schedule.get_last_lr()[0])
        record["grad_norms"].append(norm.item())
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    assert max(record["grad_norms"]) > hyper["max_grad_norm"], "clipping is never active"
    return parameters(model), record


def noise(exact, rounded, skip=()):
    """The largest deviation of any tensor, relative to its largest value; and which tensor that is."""
    deviations = {
        name: ((exact[name] - rounded[name].double()).abs().max() / exact[name].abs().max().clamp_min(1e-30)).item()
        for name in exact
        if not name.endswith(tuple(skip))
    }
    worst = max(deviations, key=deviations.get)
    return deviations[worst], worst


def write_json(path, value):
    """One batch, or one key, a line."""
    if isinstance(value, list):
        path.write_text("[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]\n")
    else:
        path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()) + "\n}\n")


def write_tensors(path, tensors):
    """safetensors files come out readable by their owner alone; a repository wants them readable."""
    save_file(tensors, path, {"format": "pt"})
    path.chmod(0o644)


def check_noise(name, what, deviation):
    print(f"{name:24} {what:10} float32 - float64 = {deviation[0]:.1e} of the largest value, in {deviation[1]}")
    if deviation[0] > NOISE:
        raise SystemExit(f"{name}: {what} are noisier than {NOISE}; choose another seed")


def load(directory, model_class, dtype):
    model = model_class.from_pretrained(directory, attn_implementation="eager", dtype=torch.float32)
    return model.to(dtype).eval()


def freeze(model, layers):
    """As Hugging Face users freeze: the embeddings (ELECTRA's projection too) and the lowest layers need no gradient."""
    frozen = ["embeddings", *(f"encoder.layer.{layer}" for layer in range(layers))] if layers else []
    for name, parameter in model.base_model.named_parameters():
        parameter.requires_grad_(not any(name.startswith((f"{part}.", f"{part}_project.")) for part in frozen))


def make_case(name):
    architecture, settings, pairs, labels, seed = CASES[name]
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    make_model(architecture, settings, labels, seed).save_pretrained(directory)
    sizes = [4 + i % 2 for i in range(10)]
    batches = make_batches(architecture, pairs, labels, sizes, seed)
    after = record_training(name, name, architecture[1], batches, HYPER)
    (directory / "model.safetensors").chmod(0o644)
    saved = set(load_file(directory / "model.safetensors"))
    assert saved == set(after), saved ^ set(after)


def make_frozen():
    """The lower of two layers frozen, and the embeddings with it."""
    start, hyper = "bert_reg_pairs", {**HYPER, "freeze_layers": 1}
    directory = HERE / "frozen"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    batches = json.loads((HERE / start / "batches.json").read_text())
    after = record_training("frozen", start, CASES[start][0][1], batches, hyper)
    before = load_file(HERE / start / "model.safetensors")
    kept = {name for name in after if torch.equal(before[name], after[name])}
    assert kept == {name for name in after if ".embeddings." in name or ".layer.0." in name}, kept


def record_training(name, start, model_class, batches, hyper):
    """Writes what a case expects of training the model of the case `start`; the weights after it."""
    directory, results = HERE / name, []
    for dtype in (torch.float32, torch.float64):
        model = load(HERE / start, model_class, dtype)
        freeze(model, hyper.get("freeze_layers", 0))
        results.append((first_batch(model, batches[0]), train(model, batches, hyper)))
    ((logits, loss, gradients), (after, record)), ((logits64, _, gradients64), (after64, _)) = results
    check_noise(name, "logits", noise({"logits": logits64}, {"logits": logits}))
    check_noise(name, "gradients", noise(gradients64, gradients, ["key.bias"]))
    check_noise(name, "weights", noise(after64, after, ["key.bias"]))
    write_json(directory / "batches.json", batches)
    hyper = {**hyper, "total_steps": len(batches)}
    expected = {"model": start, "hyper": hyper, "logits": logits.tolist(), "loss": loss, **record}
    write_json(directory / "expected.json", expected)
    write_tensors(directory / "gradients.safetensors", gradients)
    write_tensors(directory / "after10.safetensors", after)
    return after


def make_accumulate():
    """Three optimiser steps over eight batches of unequal size; the last window has only two batches."""
    start, directory = "bert_cls", HERE / "accumulate"
    architecture, _, pairs, labels, _ = CASES[start]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    batches = make_batches(architecture, pairs, labels, [3, 1, 5, 2, 4, 3, 5, 2], 11)
    hyper = {**HYPER, "warmup_steps": 0, "accumulate": 3}
    results = []
    for dtype in (torch.float32, torch.float64):
        model = load(HERE / start, architecture[1], dtype)
        with torch.no_grad():
            logits = forward(model, batches[0])[0]
            loss = forward(model, batches[0])[1] / len(batches[0]["labels"])
        results.append(train(model, batches, hyper) + (logits, loss.item()))
    (after, record, logits, loss), (after64, *_) = results[0], results[1]
    check_noise("accumulate", "weights", noise(after64, after, ["key.bias"]))
    write_json(directory / "batches.json", batches)
    hyper["total_steps"] = len(record["losses"])
    expected = {"model": start, "hyper": hyper, "logits": logits.tolist(), "loss": loss, **record}
    write_json(directory / "expected.json", expected)
    write_tensors(directory / "after3.safetensors", after)


if __name__ == "__main__":
    disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in CASES:
        make_case(case)
    make_accumulate()
    make_frozen()
