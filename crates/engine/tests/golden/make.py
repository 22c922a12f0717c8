"""Goldens of the whole model, made with transformers and PyTorch: the engine is compared with these files.

    pip install torch transformers safetensors lion-pytorch
    python make.py                 # rewrites every case directory beside this script

A case directory holds
    config.json, model.safetensors   a tiny model with large random weights, as `save_pretrained` writes it
    batches.json                     a list of batches, each {input_ids, token_type_ids, labels}; the rows are ragged
    expected.json                    {model, hyper, logits, loss, losses, learning_rates, grad_norms}
    gradients.safetensors            every parameter's gradient of the first batch's loss, before clipping
    after10.safetensors              every parameter after one AdamW step a batch
The cases `accumulate` and `frozen` start from the model of another case: the first has after3.safetensors and no gradients,
the second `freeze_layers` in `hyper` and zeros for the gradients of what is frozen.

The cases `masked_…` are masked language models. A batch of theirs is {input_ids, token_type_ids, positions, labels}:
    input_ids    the rows as the model is given them, that is with tokens already masked, replaced or left alone
    positions    the chosen tokens, rising; counted over the rows of the batch laid end to end
    labels       which token the text has at each of `positions`; so there are as many labels as positions
`logits` has one row of `vocab_size` numbers for each position and no others, and a loss is the mean over all chosen tokens of
its batch or of its accumulation window. model.safetensors has neither the decoder's weights, which are the word embeddings,
nor in BERT and RoBERTa its bias, which is the head's; gradients.safetensors and the weights after training have the same names
as it. The word embeddings so get one gradient, the sum of what the inputs and the decoder give, are decayed once and counted
once in `grad_norms`.
    masked_padding      the text holds the padding token, which is also put in place of others: as an input it gives its
                        embedding no gradient, as an output it does
    masked_accumulate   two batches a window (after3.safetensors, no gradients); the first of the last has nothing masked

The cases `sgd`, `lion`, `adafactor` and `layer_decay` train the model of another case on its batches with another optimiser, or
with a learning rate that falls by a factor per layer. They have expected.json without logits and loss, and after10.safetensors.

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

import numpy as np
import torch
from lion_pytorch import Lion
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, mse_loss
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    ElectraConfig,
    ElectraForMaskedLM,
    ElectraForSequenceClassification,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
    Trainer,
    get_linear_schedule_with_warmup,
)
from transformers.optimization import Adafactor
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

# Other optimisers: the case whose model and batches they train on, and what differs of HYPER
OPTIMISER_CASES = {
    "sgd": ("bert_reg_pairs", {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 5e-2}),
    "lion": ("bert_reg_pairs", {"optimizer": "lion", "learning_rate": 1e-3}),
    "adafactor": ("bert_reg_pairs", {"optimizer": "adafactor", "learning_rate": 5e-3}),
    "layer_decay": ("electra_proj_reg", {"layer_decay": 0.6}),
}

# Masked language models: name, and the same without labels. Their layers have another activation than exact GELU, because
# BERT's head has that of the layers and the heads of the other two have exact GELU whatever the layers have.
TANH = {"hidden_act": "gelu_new"}
MASKED_CASES = {
    "masked_bert": ((BertConfig, BertForMaskedLM), {**NARROW, **TANH}, True, 25),
    "masked_roberta": ((RobertaConfig, RobertaForMaskedLM), {**NARROW, **TANH, "type_vocab_size": 1}, False, 32),
    "masked_electra": ((ElectraConfig, ElectraForMaskedLM), {**NARROW, **TANH, "embedding_size": 10}, True, 51),
}
MASK = 4
FIRST_WORD = 5
MASKED_SHARE = 0.2


def make_model(architecture, settings, labels, seed):
    """A model whose every weight matters: biases are not zero, LayerNorms not the identity.

    With `labels` None it is a masked language model.
    """
    config_class, model_class = architecture
    roberta = config_class is RobertaConfig
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2} if roberta else {"pad_token_id": 0}
    if labels:
        special["num_labels"] = labels
        special["problem_type"] = "regression" if labels == 1 else "single_label_classification"
    config = config_class(**COMMON, **settings, **special)
    model = model_class(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm.weight" in name or "layer_norm.weight" in name:
                parameter.copy_(1 + 0.2 * noise.clamp(-2, 2))
            else:
                parameter.copy_(noise * (0.1 if name.endswith("bias") else 0.5 if "_embeddings" in name else 0.25))
    return model.eval()


def make_batches(architecture, pairs, labels, sizes, seed, first_word=0):
    """Ragged rows between the special tokens of the architecture, from two tokens (an empty text) to LONGEST."""
    draw = random.Random(seed)
    first, separator, start = (0, 2, 3) if architecture[0] is RobertaConfig else (2, 3, 4)
    start = max(start, first_word)

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


def masked(batch, padding, draw, with_padding=False):
    """The batch with some of its words chosen: 80 % of them masked, 10 % replaced by any token, 10 % left alone.

    With `with_padding` the text holds the padding token too, which is never chosen, and half of the replacements are padding.
    """
    ends = np.cumsum([len(row) for row in batch["input_ids"]])[:-1]
    ids = np.concatenate(batch["input_ids"])
    words = ids >= FIRST_WORD
    if with_padding:
        ids[words & (draw.random(len(ids)) < 0.2)] = padding
        words = ids >= FIRST_WORD
    positions = np.flatnonzero(words & (draw.random(len(ids)) < MASKED_SHARE))
    labels = ids[positions]
    fate, replacement = draw.random(len(positions)), draw.integers(VOCABULARY, size=len(positions))
    if with_padding:
        replacement[::2] = padding
    ids[positions] = np.where(fate < 0.8, MASK, np.where(fate < 0.9, replacement, labels))
    rows = [row.tolist() for row in np.split(ids, ends)]
    return {**batch, "input_ids": rows, "positions": positions.tolist(), "labels": labels.tolist()}


def make_masked_batches(case, sizes, seed, with_padding=False):
    """Batches of the model of the case `case`; the first holds every fate a chosen token can have."""
    architecture, _, pairs, _ = MASKED_CASES[case]
    draw, padding = np.random.default_rng(seed), 1 if architecture[0] is RobertaConfig else 0
    batches = make_batches(architecture, pairs, 1, sizes, seed, FIRST_WORD)
    batches = [masked(batch, padding, draw, with_padding) for batch in batches]
    given = [np.concatenate(batch["input_ids"])[batch["positions"]] for batch in batches]
    kept = given[0] == batches[0]["labels"]
    assert kept.any() and (given[0] == MASK).any() and (~kept & (given[0] != MASK)).any(), "choose another seed"
    assert not with_padding or (given[0] == padding).any(), "choose another seed"
    return batches


def forward(model, batch):
    """Logits of the padded batch, or of the chosen tokens of a masked one, and the loss summed over its labels."""
    width = max(map(len, batch["input_ids"]))
    segments = model.config.type_vocab_size - 1
    ids, kinds, mask = [], [], []
    for row, kind in zip(batch["input_ids"], batch["token_type_ids"]):
        padding = width - len(row)
        ids.append(row + [model.config.pad_token_id] * padding)
        kinds.append([min(k, segments) for k in kind] + [0] * padding)
        mask.append([1] * len(row) + [0] * padding)
    inputs = {"input_ids": ids, "token_type_ids": kinds, "attention_mask": mask}
    if "positions" in batch:
        return forward_masked(model, {name: torch.tensor(value) for name, value in inputs.items()}, batch)
    labels = torch.tensor(batch["labels"], dtype=model.dtype if model.config.num_labels == 1 else torch.long)
    output = model(**{name: torch.tensor(value) for name, value in inputs.items()}, labels=labels)
    if model.config.num_labels == 1:
        total = mse_loss(output.logits.squeeze(-1), labels, reduction="sum")
    else:
        total = cross_entropy(output.logits, labels, reduction="sum")
    torch.testing.assert_close(total / len(labels), output.loss)  # the loss is the one the model itself computes
    return output.logits, total


def forward_masked(model, inputs, batch):
    """Logits of the chosen tokens, one row each, and the sum of their losses."""
    real = inputs["attention_mask"].bool()  # picks the rows of a padded tensor laid end to end
    labels = torch.full(real.shape, -100)
    targets = torch.full((int(real.sum()),), -100)
    targets[batch["positions"]] = torch.tensor(batch["labels"], dtype=torch.long)
    labels[real] = targets
    output = model(**inputs, labels=labels)
    logits = output.logits[real][batch["positions"]]
    total = cross_entropy(logits, torch.tensor(batch["labels"], dtype=torch.long), reduction="sum")
    if batch["labels"]:
        torch.testing.assert_close(total / len(batch["labels"]), output.loss)
    return logits, total


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


def make_optimiser(model, hyper):
    """The optimiser over groups that differ in weight decay and, with layer decay, in learning rate."""
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    groups = {}
    for name, parameter in model.named_parameters():
        weight_decay = hyper["weight_decay"] if name in decayed else 0.0
        rate = hyper["learning_rate"] * hyper.get("layer_decay", 1.0) ** depth(model, name)
        group = groups.setdefault((weight_decay, rate), {"params": [], "weight_decay": weight_decay, "lr": rate})
        group["params"].append(parameter)
    groups, rate = list(groups.values()), hyper["learning_rate"]
    match hyper.get("optimizer", "adamw"):
        case "adamw":
            betas = (hyper["adam_beta1"], hyper["adam_beta2"])
            return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=hyper["adam_epsilon"])
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=hyper["momentum"])
        case "lion":
            return Lion(groups, lr=rate)
        case "adafactor":
            return Adafactor(groups, lr=rate, scale_parameter=False, relative_step=False)


def depth(model, name):
    """How many layers below the head a parameter is."""
    layers = model.config.num_hidden_layers
    if ".embeddings" in name:
        return layers + 1
    return layers - int(name.split(".layer.")[1].split(".")[0]) if ".layer." in name else 0


def train(model, batches, hyper, after_step=lambda step: None):
    """One epoch as HF Trainer runs it: decay groups, warm-up, accumulation, clipping, AdamW, linear schedule."""
    optimiser = make_optimiser(model, hyper)
    windows = [batches[i : i + hyper["accumulate"]] for i in range(0, len(batches), hyper["accumulate"])]
    schedule = get_linear_schedule_with_warmup(optimiser, hyper["warmup_steps"], len(windows))
    record = {"losses": [], "learning_rates": [], "grad_norms": []}
    for step, window in enumerate(windows, 1):
        rows = sum(len(batch["labels"]) for batch in window)
        loss = 0.0
        for batch in window:
            share = forward(model, batch)[1] / rows  # every row, or chosen token, of the window weighs the same
            share.backward()
            loss += share.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), hyper["max_grad_norm"])
        record["losses"].append(loss)
        record["learning_rates"].append(schedule.get_last_lr()[0])
        record["grad_norms"].append(norm.item())
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        after_step(step)
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
    batches = make_batches(architecture, pairs, labels, [4 + i % 2 for i in range(10)], seed)
    record_model(name, make_model(architecture, settings, labels, seed), batches)


def make_masked_case(name):
    architecture, settings, _, seed = MASKED_CASES[name]
    batches = make_masked_batches(name, [4 + i % 2 for i in range(10)], seed)
    saved = record_model(name, make_model(architecture, settings, None, seed), batches)
    assert not [tensor for tensor in saved if "decoder" in tensor or tensor == "generator_lm_head.weight"], saved


def record_model(name, model, batches):
    """Writes a case with a model of its own; the names of the model's tensors."""
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory)
    after = record_training(name, name, type(model), batches, HYPER)
    (directory / "model.safetensors").chmod(0o644)
    saved = set(load_file(directory / "model.safetensors"))
    assert saved == set(after), saved ^ set(after)
    return saved


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


def make_masked_padding():
    """Rows that hold the padding token. RoBERTa's, as there padding has a row of the positions as well."""
    start, directory = "masked_roberta", HERE / "masked_padding"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    batches = make_masked_batches(start, [4] * 10, 57, with_padding=True)
    record_training("masked_padding", start, MASKED_CASES[start][0][1], batches, HYPER)
    gradients = load_file(directory / "gradients.safetensors")
    table = "roberta.embeddings.{}.weight"
    assert gradients[table.format("word_embeddings")][1].ne(0).all()
    assert gradients[table.format("position_embeddings")][1].eq(0).all()


def make_optimiser_case(name):
    start, changes = OPTIMISER_CASES[name]
    directory, hyper, results = HERE / name, {**HYPER, **changes}, []
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    batches = json.loads((HERE / start / "batches.json").read_text())
    for dtype in (torch.float32, torch.float64):
        results.append(train(load(HERE / start, CASES[start][0][1], dtype), batches, hyper))
    (after, record), (after64, _) = results
    check_noise(name, "weights", noise(after64, after, ["key.bias"]))
    write_json(directory / "expected.json", {"model": start, "hyper": {**hyper, "total_steps": len(batches)}, **record})
    write_tensors(directory / "after10.safetensors", after)


def make_accumulate():
    """Three optimiser steps over eight batches of unequal size; the last window has only two batches."""
    start = "bert_cls"
    architecture, _, pairs, labels, _ = CASES[start]
    batches = make_batches(architecture, pairs, labels, [3, 1, 5, 2, 4, 3, 5, 2], 11)
    record_windows("accumulate", start, architecture[1], batches, 3)


def make_masked_accumulate():
    """Three windows of two batches each, of unequal numbers of masked tokens; the last begins with an empty text."""
    start = "masked_bert"
    *batches, last = make_masked_batches(start, [5, 3, 2, 4, 6], 63)
    empty = {"input_ids": [[2, 3, 3]], "token_type_ids": [[0, 0, 1]], "labels": [], "positions": []}
    record_windows("masked_accumulate", start, MASKED_CASES[start][0][1], [*batches, empty, last], 2)


def record_windows(name, start, model_class, batches, accumulate):
    """Writes what a case expects of three optimiser steps of `accumulate` batches each, or of what is left of them."""
    directory, hyper, results = HERE / name, {**HYPER, "warmup_steps": 0, "accumulate": accumulate}, []
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for dtype in (torch.float32, torch.float64):
        model = load(HERE / start, model_class, dtype)
        with torch.no_grad():
            logits, total = forward(model, batches[0])
        loss = total / len(batches[0]["labels"])
        results.append(train(model, batches, hyper) + (logits, loss.item()))
    (after, record, logits, loss), (after64, *_) = results
    assert len(record["losses"]) == 3
    check_noise(name, "weights", noise(after64, after, ["key.bias"]))
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
    for case in OPTIMISER_CASES:
        make_optimiser_case(case)
    for case in MASKED_CASES:
        make_masked_case(case)
    make_masked_padding()
    make_masked_accumulate()
