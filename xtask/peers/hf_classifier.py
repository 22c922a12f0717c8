"""The peer of training: fine-tuning a classifier on CPU with Hugging Face's Trainer, measured.

    pip install torch transformers accelerate
    python xtask/peers/hf_classifier.py --model DIR --data TRAIN.csv --steps 102 --precision bf16 --group-by-length

DIR is a checkpoint directory, or one of a configuration and a tokeniser alone: then weights are random, as speed does not depend
on them. Rows are drawn from all of the table. Batches are padded to their longest row.

With --group-by-length Trainer sorts the rows of 50 batches at a time and begins with the longest. So that the steps measured
have the lengths of the whole table, let --steps be 50, or a multiple of it, more than --warmup, as it is when not given.
"""

import argparse

from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

from measured import columns, draw, train, training_arguments


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="checkpoint directory")
    parser.add_argument("--data", required=True, help="training table, UTF-8 CSV")
    parser.add_argument("--text", default="review", help="column of the texts")
    parser.add_argument("--label", default="label", help="column of the labels")
    return training_arguments(parser)


def make_model(directory, labels):
    """The checkpoint with a new head, or a model with random weights."""
    try:
        return AutoModelForSequenceClassification.from_pretrained(directory, num_labels=labels)
    except OSError:
        config = AutoConfig.from_pretrained(directory, num_labels=labels)
        return AutoModelForSequenceClassification.from_config(config)


def main():
    options = arguments()
    disable_progress_bar()
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    texts, labels = columns(options.data, options.text, options.label)
    classes = {label: index for index, label in enumerate(sorted(set(labels)))}
    texts, labels = zip(*draw(list(zip(texts, labels)), options, options.data))
    encoded = tokenizer(list(texts), truncation=True, max_length=options.max_length)
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": classes[label]}
        for ids, mask, label in zip(encoded["input_ids"], encoded["attention_mask"], labels)
    ]
    model = make_model(options.model, len(classes))
    train(f"hf-classifier {options.precision}", model, rows, DataCollatorWithPadding(tokenizer), options, 2e-5)


if __name__ == "__main__":
    main()
