"""The peer of pre-training: masked-LM training on CPU with Hugging Face's Trainer, measured.

    pip install torch transformers accelerate
    python xtask/peers/hf_masked_lm.py --model DIR --data TEXT.txt.gz --steps 52 --precision bf16 --group-by-length

DIR gives configuration and tokeniser; its weights are not read, as speed does not depend on them. With --tokenizer instead of
--model the configuration is BERT's with 4 layers of 256 (intermediate 1024, 4 heads). Every line of the text is a row,
and rows are drawn from all of it. Dynamic masking of 15 %: 80 % masked, 10 % replaced, 10 % left alone.

With --group-by-length Trainer sorts the rows of 50 batches at a time and begins with the longest. So that the steps measured
have the lengths of the whole text, let --steps be 50, or a multiple of it, more than --warmup, as it is when not given.

Prints one JSON line. The time is that of the steps after the first --warmup ones, from the end of one step to the end of
another, so reading batches and masking count on this side as on the other. Real tokens are those that are not padding;
memory is the peak of the resident set in MiB.
"""

import argparse
import gzip
import json
import random
import resource
import statistics
import tempfile
import time

import torch
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertConfig,
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

# Trainer groups 50 batches by length only where there are at least four times as many, and else fewer.
BATCHES = 200
SMALL = {"num_hidden_layers": 4, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    start = parser.add_mutually_exclusive_group(required=True)
    start.add_argument("--model", help="directory of a configuration and a tokeniser")
    start.add_argument("--tokenizer", help="directory of a tokeniser for a BERT of 4 layers of 256")
    parser.add_argument("--data", required=True, help="text, a row a line; .gz is unpacked")
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


def read_rows(path, least, most, seed):
    """Lines that are not empty, drawn from the whole text."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        lines = [line for line in map(str.strip, file) if line]
    if len(lines) < least:
        raise SystemExit(f"{path}: {len(lines)} lines that are not empty, {least} needed; fewer --steps or a smaller --batch")
    return random.Random(seed).sample(lines, min(most, len(lines)))


def make_model(options, tokenizer):
    """A model with random weights."""
    if options.model:
        config = AutoConfig.from_pretrained(options.model)
    else:
        config = BertConfig(**SMALL, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id)
    return AutoModelForMaskedLM.from_config(config)


class Counted(DataCollatorForLanguageModeling):
    """Writes down (rows, real tokens, padded tokens) of every batch in the order of the steps."""

    def torch_call(self, examples):
        batch = super().torch_call(examples)
        self.batches.append((len(examples), int(batch["attention_mask"].sum()), batch["input_ids"].numel()))
        return batch


class Clock(TrainerCallback):
    """The times at which steps ended."""

    def __init__(self):
        self.ends = []

    def on_step_end(self, *_, **__):
        self.ends.append(time.perf_counter())


def main():
    options = arguments()
    disable_progress_bar()
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model or options.tokenizer)
    least, most = options.batch * options.steps, options.batch * max(options.steps, BATCHES)
    texts = read_rows(options.data, least, most, options.seed)
    encoded = tokenizer(texts, truncation=True, max_length=options.max_length, return_special_tokens_mask=True)
    rows = [{name: values[row] for name, values in encoded.items()} for row in range(len(texts))]
    collator, clock = Counted(tokenizer, mlm_probability=0.15), Clock()
    collator.batches = []
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            output_dir=scratch,
            use_cpu=True,
            max_steps=options.steps,
            per_device_train_batch_size=options.batch,
            learning_rate=5e-4,
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
        model = make_model(options, tokenizer)
        trainer = Trainer(model, settings, train_dataset=rows, data_collator=collator, callbacks=[clock])
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    seconds = clock.ends[-1] - clock.ends[options.warmup - 1]
    samples, real, padded = (sum(column) for column in zip(*collator.batches[options.warmup : options.steps]))
    durations = [end - start for start, end in zip(clock.ends[options.warmup - 1 :], clock.ends[options.warmup :])]
    document = {
        "peer": f"hf-masked-lm {options.precision}" + (" group_by_length" if options.group_by_length else ""),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "steps": len(durations),
        "samples_per_s": round(samples / seconds, 2),
        "real_tokens_per_s": round(real / seconds, 1),
        "padded_tokens_per_s": round(padded / seconds, 1),
        "median_step_s": round(statistics.median(durations), 4),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
