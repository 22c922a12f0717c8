"""Opens a model directory written by gyeol with transformers and compares the logits. Run by hand, not in CI.

    gyeol predict DIR table.csv --id ID --text review --logits -o logits.csv
    python check_written.py DIR table.csv logits.csv

The columns and the longest sequence are those of the directory's gyeol.json; flags override them. Prints one line; exits
with 1 and says why when transformers does not see the model gyeol wrote.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="directory written by gyeol")
    parser.add_argument("table", type=Path, help="the CSV the logits were predicted from")
    parser.add_argument("logits", type=Path, help="written by `gyeol predict --logits`")
    parser.add_argument("--id", help="id column of the table; without one the ids are not compared")
    parser.add_argument("--text")
    parser.add_argument("--text-pair")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="share of the largest logit")
    options = parser.parse_args()
    settings = json.loads((options.model / "gyeol.json").read_text())
    for name in ("id", "text", "text_pair", "max_length"):
        if getattr(options, name) is None:
            setattr(options, name, settings.get(name))
    options.labels = settings["labels"]
    return options


def require(condition, message):
    if not condition:
        sys.exit(f"MISMATCH: {message}")


def read_table(path):
    """Every cell as the text it is: `NA` and an empty cell are texts too."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def check_config(directory, config, labels):
    """The label maps are each other's inverse, the problem is named, and the weights say they are PyTorch's."""
    require(len(labels) in (0, config.num_labels), f"gyeol.json has {len(labels)} labels, the model {config.num_labels}")
    require(len(config.id2label) == config.num_labels, f"id2label has {len(config.id2label)} of {config.num_labels} labels")
    require({v: k for k, v in config.id2label.items()} == config.label2id, "label2id is not the inverse of id2label")
    problem = "regression" if config.num_labels == 1 else "single_label_classification"
    require(config.problem_type == problem, f"problem_type is {config.problem_type!r}, not {problem!r}")
    written = json.loads((directory / "config.json").read_text())
    require(len(written["id2label"]) == config.num_labels, "config.json itself does not spell out id2label")
    for file in directory.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            require((tensors.metadata() or {}).get("format") == "pt", f"{file.name} lacks the metadata format = pt")


@torch.no_grad()
def predict(model, tokenizer, table, options):
    """Logits of every row, in order; padded batches of the file's order."""
    texts = table[options.text].tolist()
    pairs = table[options.text_pair].tolist() if options.text_pair else None
    outputs = []
    for start in range(0, len(texts), options.batch):
        rows = slice(start, start + options.batch)
        second = pairs[rows] if pairs else None
        batch = tokenizer(
            texts[rows], second, truncation=True, max_length=options.max_length, padding=True, return_tensors="pt"
        )
        if "token_type_ids" in batch:
            # klue's RoBERTa comes with a BERT tokeniser, whose segments the model does not have.
            batch["token_type_ids"].clamp_(max=model.config.type_vocab_size - 1)
        outputs.append(model(**batch).logits)
    return torch.cat(outputs).double().numpy()


def main():
    options = arguments()
    disable_progress_bar()
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        options.model, dtype=torch.float32, output_loading_info=True
    )
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        require(not loading[what], f"transformers reports {what}: {sorted(map(str, loading[what]))}")
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    require(len(tokenizer) <= model.config.vocab_size, f"{len(tokenizer)} tokens, {model.config.vocab_size} embeddings")
    check_config(options.model, model.config, options.labels)

    table, written = read_table(options.table), read_table(options.logits)
    require(len(table) == len(written), f"{len(written)} rows of logits for {len(table)} rows of the table")
    if options.id:
        differ = np.flatnonzero(table[options.id].to_numpy() != written.iloc[:, 0].to_numpy())
        require(not len(differ), f"ids are not in input order from row {differ[:1] + 1} on")
    ours = written.iloc[:, 1:].to_numpy(dtype=np.float64)
    require(ours.shape[1] == model.config.num_labels, f"{ours.shape[1]} outputs a row, not {model.config.num_labels}")

    theirs = predict(model.eval(), tokenizer, table, options)
    deviations = np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max()
    worst = int(deviations.argmax())
    require(
        deviations[worst] <= options.tolerance,
        f"row {worst + 1}: gyeol {ours[worst].tolist()}, transformers {theirs[worst].tolist()}: "
        f"{deviations[worst]:.1e} of the largest logit, over {options.tolerance}",
    )
    print(
        f"same: {len(table)} rows, {model.config.model_type}, {list(model.config.label2id)}, "
        f"largest deviation {deviations[worst]:.1e} of the largest logit"
    )


if __name__ == "__main__":
    main()
