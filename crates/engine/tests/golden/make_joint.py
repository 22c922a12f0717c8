"""Goldens of models trained together, made with transformers and PyTorch: the engine is compared with these files.

    pip install torch transformers safetensors lion-pytorch
    python make_joint.py           # rewrites the directories `joint_…` beside this script

A case starts from the checkpoints of two other cases (`models` in expected.json), of different architectures. Its directory holds
    batches.json                a list of windows; each has one batch a member, the same rows as each tokeniser might cut them
    expected.json               {models, join, hyper, logits, loss, losses, learning_rates, grad_norms}
    gradients.safetensors       every parameter's gradient of the first window's loss, before clipping
    after3.safetensors          every parameter after one AdamW step a window
    head.safetensors            of `joint_stack`: the linear layer it starts with
Names begin with the member: `members.0.bert.…`.

`joint_mean` has both members' own heads, and the loss of the mean of their outputs. `joint_stack` has one nn.Linear over the first
tokens' features of both encoders, laid end to end: columns of its weight are written as each member's, its one bias as the first's.
Norms are clip_grad_norm_'s over all of it. Everything is computed a second time in float64, as in make.py.
"""

import shutil

import torch
from make import (
    CASES,
    HERE,
    HYPER,
    check_noise,
    load,
    make_batches,
    make_optimiser,
    noise,
    parameters,
    write_json,
    write_tensors,
)
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import get_linear_schedule_with_warmup
from transformers.utils.logging import disable_progress_bar

# name: how outputs are joined, the cases whose models it starts from, seed
JOINT = {
    "joint_mean": ("mean", ["bert_gelu_new_cls", "electra_cls"], 201),
    "joint_stack": ("stack", ["bert_gelu_new_cls", "roberta_cls_pairs"], 202),
}
OUTPUTS = 4
SIZES = [5, 4, 3]
HYPER_JOINT = {**HYPER, "warmup_steps": 0, "learning_rate": 2e-3}


def inputs(config, batch):
    """The padded tensors of one member's batch."""
    width = max(map(len, batch["input_ids"]))
    pad = lambda row, value: row + [value] * (width - len(row))
    return {
        "input_ids": torch.tensor([pad(row, config.pad_token_id) for row in batch["input_ids"]]),
        "token_type_ids": torch.tensor(
            [pad([min(kind, config.type_vocab_size - 1) for kind in row], 0) for row in batch["token_type_ids"]]
        ),
        "attention_mask": torch.tensor([pad([1] * len(row), 0) for row in batch["input_ids"]]),
    }


class Mean(nn.Module):
    """Soft voting within the loss."""

    def __init__(self, members):
        super().__init__()
        self.members, self.config = nn.ModuleList(members), members[0].config

    def forward(self, batches):
        outputs = [m(**inputs(m.config, b)).logits for m, b in zip(self.members, batches)]
        return torch.stack(outputs).mean(dim=0)


class Stack(nn.Module):
    """One linear layer over the features of all encoders."""

    def __init__(self, members, generator):
        super().__init__()
        self.members, self.config = nn.ModuleList(members), members[0].config
        self.linear = nn.Linear(sum(m.config.hidden_size for m in members), OUTPUTS)
        with torch.no_grad():
            self.linear.weight.copy_(0.4 * torch.randn(self.linear.weight.shape, generator=generator))
            self.linear.bias.copy_(0.1 * torch.randn(self.linear.bias.shape, generator=generator))

    def forward(self, batches):
        features = [
            m.base_model(**inputs(m.config, b)).last_hidden_state[:, 0] for m, b in zip(self.members, batches)
        ]
        return self.linear(torch.cat(features, dim=1))

    def cut(self, tensors):
        """The linear layer's tensors as those of each member's layer; and the encoders' own, without the heads they came with."""
        encoders = tuple(f"members.{i}.{m.base_model_prefix}." for i, m in enumerate(self.members))
        named = {name: t for name, t in tensors.items() if name.startswith(encoders) and ".pooler." not in name}
        widths = [m.config.hidden_size for m in self.members]
        for i, columns in enumerate(tensors["linear.weight"].split(widths, dim=1)):
            named[f"members.{i}.2_Dense.linear.weight"] = columns.contiguous()
        named["members.0.2_Dense.linear.bias"] = tensors["linear.bias"]
        return named


def make_windows(starts, seed):
    """Windows of the same rows and labels; each member's ids are its own."""
    windows = zip(*(make_batches(CASES[case][0], False, OUTPUTS, SIZES, seed + i) for i, case in enumerate(starts)))
    return [[{**batch, "labels": window[0]["labels"]} for batch in window] for window in windows]


def compute(join, starts, seed, windows, dtype):
    """What it starts with, logits and gradients of the first window, and the weights after training."""
    members = [load(HERE / case, CASES[case][0][1], torch.float32) for case in starts]
    model = Mean(members) if join == "mean" else Stack(members, torch.Generator().manual_seed(seed))
    model = model.to(dtype).eval()
    cut = (lambda tensors: tensors) if join == "mean" else model.cut
    start = cut(parameters(model))
    optimiser = make_optimiser(model, HYPER_JOINT)
    schedule = get_linear_schedule_with_warmup(optimiser, HYPER_JOINT["warmup_steps"], len(windows))
    record = {"losses": [], "learning_rates": [], "grad_norms": []}
    for step, window in enumerate(windows):
        logits = model(window)
        loss = cross_entropy(logits, torch.tensor(window[0]["labels"]))
        loss.backward()
        if step == 0:
            gradients = {
                name: (torch.zeros_like(p) if p.grad is None else p.grad).detach().clone().contiguous()
                for name, p in model.named_parameters()
            }
            first = (logits.detach(), cut(gradients))
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), HYPER_JOINT["max_grad_norm"])
        record["losses"].append(loss.item())
        record["learning_rates"].append(schedule.get_last_lr()[0])
        record["grad_norms"].append(norm.item())
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    assert max(record["grad_norms"]) > HYPER_JOINT["max_grad_norm"], "clipping is never active"
    return start, *first, cut(parameters(model)), record


def make_joint(name):
    join, starts, seed = JOINT[name]
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    windows = make_windows(starts, seed)
    start, logits, gradients, after, record = compute(join, starts, seed, windows, torch.float32)
    _, exact_logits, exact_gradients, exact_after, _ = compute(join, starts, seed, windows, torch.float64)
    check_noise(name, "logits", noise({"logits": exact_logits}, {"logits": logits}))
    check_noise(name, "gradients", noise(exact_gradients, gradients, ["key.bias"]))
    check_noise(name, "weights", noise(exact_after, after, ["key.bias"]))
    write_json(directory / "batches.json", windows)
    expected = {"models": starts, "join": join, "hyper": HYPER_JOINT, "logits": logits.tolist()}
    write_json(directory / "expected.json", {**expected, "loss": record["losses"][0], **record})
    write_tensors(directory / "gradients.safetensors", gradients)
    write_tensors(directory / "after3.safetensors", after)
    if join == "stack":
        head = {tensor: values for tensor, values in start.items() if ".2_Dense." in tensor}
        write_tensors(directory / "head.safetensors", head)


if __name__ == "__main__":
    disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in JOINT:
        make_joint(case)
