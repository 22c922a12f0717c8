"""What the peers share: which rows they take, how steps and predictions are timed, and the JSON line they print.

Real tokens are those that are not padding; memory is the peak of the resident set in MiB.
"""

import argparse
import csv
import json
import random
import resource
import statistics
import tempfile
import time

import torch

# Trainer groups 50 batches by length only where there are at least four times as many, and else fewer.
BATCHES = 200
# Rows predicted before the clock runs.
WARM_UP = 64


def training_arguments(parser):
    """Adds the flags of a training peer; the options, checked."""
    parser.add_argument("--batch", type=int, default=32, help="rows of a batch")
    parser.add_argument("--max-length", type=int, default=128, help="longest row in tokens")
    parser.add_argument("--steps", type=int, default=52, help="optimiser steps, the first ones included")
    parser.add_argument("--warmup", type=int, default=2, help="first steps left out of the figures")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--group-by-length", action="store_true", help="batches of like length: less padding")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    if not 1 <= options.warmup < options.steps:
        parser.error("--warmup must be at least 1 and less than --steps")
    return options


def predicting_arguments(doc):
    """The options of a predicting peer."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--model", required=True, help="checkpoint directory with a classification head")
    parser.add_argument("--data", required=True, help="table, UTF-8 CSV")
    parser.add_argument("--text", default="review", help="column of the texts")
    parser.add_argument("--rows", type=int, default=2000, help="first rows that are predicted")
    parser.add_argument("--batch", type=int, default=32, help="rows of a batch")
    parser.add_argument("--max-length", type=int, default=128, help="longest row in tokens")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--sort", action="store_true", help="batches of like length: almost no padding")
    return parser.parse_args()


def columns(path, *names):
    """These columns of a CSV file, each a list of texts."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in names if rows and name not in rows[0]]
    if missing or not rows:
        raise SystemExit(f"{path}: no column {missing[0]}" if missing else f"{path}: no rows")
    return [[row[name] for row in rows] for name in names]


def draw(rows, options, path):
    """As many of the rows as Trainer is to choose from, drawn from all of them."""
    least, most = options.batch * options.steps, options.batch * max(options.steps, BATCHES)
    if len(rows) < least:
        raise SystemExit(f"{path}: {len(rows)} rows, {least} needed; fewer --steps or a smaller --batch")
    return random.Random(options.seed).sample(rows, min(most, len(rows)))


def counted(collator):
    """The collator, and (rows, real tokens, padded tokens) of every batch in the order of the steps."""
    batches = []

    def collate(examples):
        batch = collator(examples)
        batches.append((len(examples), int(batch["attention_mask"].sum()), batch["input_ids"].numel()))
        return batch

    return collate, batches


def train(name, model, rows, collator, options, learning_rate):
    """Trains with Trainer and prints the figures: the time is that of the steps after the first `--warmup` ones, from the end
    of one step to the end of another, so reading batches counts as it does for gyeol."""
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    class Clock(TrainerCallback):
        ends = []

        def on_step_end(self, *_, **__):
            self.ends.append(time.perf_counter())

    collate, batches = counted(collator)
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            output_dir=scratch,
            use_cpu=True,
            max_steps=options.steps,
            per_device_train_batch_size=options.batch,
            learning_rate=learning_rate,
            weight_decay=0.01,
            bf16=options.precision == "bf16",
            # The name transformers 5 has for `group_by_length`.
            train_sampling_strategy="group_by_length" if options.group_by_length else "random",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=options.seed,
        )
        trainer = Trainer(model, settings, train_dataset=rows, data_collator=collate, callbacks=[Clock])
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    ends = Clock.ends[options.warmup - 1 :]
    samples, real, padded = (sum(column) for column in zip(*batches[options.warmup : options.steps]))
    report(
        name + (" group_by_length" if options.group_by_length else ""),
        ends[-1] - ends[0],
        {"samples": samples, "real_tokens": real, "padded_tokens": padded},
        {
            "steps": len(ends) - 1,
            "median_step_s": round(statistics.median(end - start for start, end in zip(ends, ends[1:])), 4),
        },
    )


def predict(name, tokenizer, compute, options):
    """Predicts the first rows and prints the figures: tokenising and computing count, a first pass over a few rows does not.
    `compute` takes a padded batch of tensors to the outputs of its rows."""
    [texts] = columns(options.data, options.text)

    def run(texts):
        encoded = tokenizer(texts, truncation=True, max_length=options.max_length)["input_ids"]
        order = list(range(len(encoded)))
        if options.sort:
            order.sort(key=lambda row: len(encoded[row]))
        outputs, real = [None] * len(encoded), 0
        for start in range(0, len(order), options.batch):
            rows = order[start : start + options.batch]
            batch = tokenizer.pad({"input_ids": [encoded[row] for row in rows]}, return_tensors="pt")
            real += int(batch["attention_mask"].sum())
            for row, output in zip(rows, compute(batch)):
                outputs[row] = output
        return real

    texts = texts[: options.rows]
    run(texts[:WARM_UP])
    start = time.perf_counter()
    real = run(texts)
    seconds = time.perf_counter() - start
    counts = {"samples": len(texts), "real_tokens": real}
    report(name + (" sorted" if options.sort else ""), seconds, counts, {"rows": len(texts), "batch": options.batch})


def report(name, seconds, counts, more):
    """Prints the JSON line."""
    speeds = {f"{what}_per_s": round(count / seconds, 2) for what, count in counts.items()}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    document = {"peer": name, "torch": torch.__version__, "threads": torch.get_num_threads(), **more, **speeds}
    print(json.dumps({**document, "peak_rss_mib": memory}))
