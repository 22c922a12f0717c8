"""Averages of weights over a training of ten steps, by torch.optim.swa_utils.AveragedModel: the mean of those after steps 8, 9 and
10, and the moving average of all steps. Writes averages/, which golden/averages.rs compares with.

    python make_averages.py
"""
import json
import shutil

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from make import CASES, HERE, HYPER, load, train, write_json, write_tensors

START, DECAY, MEAN_OF = "bert_cls", 0.9, [8, 9, 10]


def main():
    directory = HERE / "averages"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    batches = json.loads((HERE / START / "batches.json").read_text())
    model = load(HERE / START, CASES[START][0][1], torch.float32)
    mean, moving = AveragedModel(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(DECAY))

    def after_step(step):
        moving.update_parameters(model)
        if step in MEAN_OF:
            mean.update_parameters(model)

    train(model, batches, HYPER, after_step)
    for name, average in [("mean", mean), ("moving", moving)]:
        tensors = {name: p.detach().clone().contiguous() for name, p in average.module.named_parameters()}
        write_tensors(directory / f"{name}.safetensors", tensors)
    hyper = {**HYPER, "decay": DECAY, "mean_of": MEAN_OF, "total_steps": len(batches)}
    write_json(directory / "expected.json", {"model": START, "hyper": hyper})


if __name__ == "__main__":
    main()
