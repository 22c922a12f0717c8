"""Opens a masked language model written by `gyeol adapt` or `gyeol pretrain` with transformers. Run by hand, not in CI.

    pip install torch transformers safetensors
    python crates/cli/tests/parity/check_masked_lm.py DIR [--sentence '이 영화 정말 [MASK].']
    python crates/cli/tests/parity/check_masked_lm.py DIR --masks FILE.json [--text FILE] [--expect-perplexity P]

The first form checks that no tensor is missing, unexpected or of another shape, that the decoder is the word embeddings, that
the vocabulary fits, and that a sentence with masks gives finite logits; it prints the likeliest fillings.

The second does so too and then computes the loss of fixed masks, to be compared with gyeol's own number. FILE.json holds one
batch, or a list of them, laid out as `batches.json` of the engine's goldens: {input_ids: rows as the model is given them,
token_type_ids (may be absent), positions: of the chosen tokens, counted over the rows laid end to end, labels: the tokens
the text has there}. The loss is the mean over all chosen tokens, the perplexity its exponential.
    --text                the rows, their labels put back, must be lines of this file (.txt, .txt.gz) as the directory's
                          tokeniser cuts them at --max-length; each line counts once
    --expect-perplexity   the number gyeol printed: off by more than --tolerance of it is an error

Prints what it found; exits with 1 and says why when transformers does not see what gyeol wrote.
"""

import argparse
import gzip
import json
import math
import sys
from collections import Counter
from itertools import accumulate
from pathlib import Path

import torch
from safetensors import safe_open
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="directory written by gyeol")
    parser.add_argument("--sentence", default="이 영화 정말 [MASK].", help="[MASK] stands for the tokeniser's own mask token")
    parser.add_argument("--top", type=int, default=5, help="how many fillings to print")
    parser.add_argument("--masks", type=Path, help="JSON file of masked rows and their labels")
    parser.add_argument("--text", type=Path, help="the text the masked rows are from")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of a row of --text")
    parser.add_argument("--expect-perplexity", type=float, help="gyeol's perplexity of the masks")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="share of the expected perplexity")
    parser.add_argument("--batch", type=int, default=32, help="rows computed at once")
    options = parser.parse_args()
    for name in ("text", "expect_perplexity"):
        if getattr(options, name) is not None and not options.masks:
            parser.error(f"--{name.replace('_', '-')} needs --masks")
    return options


def require(condition, message):
    if not condition:
        sys.exit(f"MISMATCH: {message}")


def open_model(directory):
    """The model in float32, every tensor of it from the directory."""
    model, loading = AutoModelForMaskedLM.from_pretrained(directory, dtype=torch.float32, output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        require(not loading[what], f"transformers reports {what}: {sorted(map(str, loading[what]))}")
    name = type(model).__name__
    require(model.config.architectures == [name], f"config.json: architectures {model.config.architectures}, not [{name!r}]")
    words, decoder = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    require(words is decoder, "the decoder's weights are not the word embeddings")
    for file in directory.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            require((tensors.metadata() or {}).get("format") == "pt", f"{file.name} lacks the metadata format = pt")
    return model.eval()


def open_tokeniser(directory, model):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    rows, padding = model.config.vocab_size, model.config.pad_token_id
    require(len(tokenizer) <= rows, f"{len(tokenizer)} tokens, {rows} embeddings")
    require(tokenizer.mask_token_id is not None, "the tokeniser has no mask token")
    require(tokenizer.pad_token_id == padding, f"padding is {tokenizer.pad_token_id}, in config.json {padding}")
    return tokenizer


@torch.no_grad()
def logits_of(model, rows, segments):
    """Logits of ragged rows, laid end to end: tokens × vocabulary."""
    width, last_segment = max(map(len, rows)), model.config.type_vocab_size - 1
    ids = torch.full((len(rows), width), model.config.pad_token_id)
    kinds, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for number, (row, kind) in enumerate(zip(rows, segments, strict=True)):
        ids[number, : len(row)] = torch.tensor(row)
        # klue's RoBERTa comes with a BERT tokeniser, whose segments the model does not have.
        kinds[number, : len(row)] = torch.tensor(kind).clamp(max=last_segment)
        mask[number, : len(row)] = 1
    return model(input_ids=ids, token_type_ids=kinds, attention_mask=mask).logits[mask.bool()]


def print_fillings(model, tokenizer, sentence, top):
    """The likeliest tokens for each mask of the sentence, with their probabilities."""
    text = sentence.replace("[MASK]", tokenizer.mask_token)
    row = tokenizer(text)["input_ids"]
    masks = [place for place, token in enumerate(row) if token == tokenizer.mask_token_id]
    require(masks, f"no mask token among those of {text!r}: {tokenizer.convert_ids_to_tokens(row)}")
    logits = logits_of(model, [row], [[0] * len(row)])
    require(logits.isfinite().all(), f"logits of {text!r} are not finite")
    print(text)
    for place in masks:
        best = logits[place].softmax(-1).topk(top)
        fillings = (f"{tokenizer.decode([token])} {share:.3f}" for token, share in zip(best.indices, best.values.tolist()))
        print(f"  token {place}: {' · '.join(fillings)}")


def read_masks(path, model):
    """Rows, segments and {place in the row: label} of every row of every batch."""
    batches = json.loads(path.read_text(encoding="utf-8"))
    read = []
    for number, batch in enumerate(batches if isinstance(batches, list) else [batches]):
        where = f"{path.name}: batch {number + 1}"
        rows, positions, labels = batch["input_ids"], batch["positions"], batch["labels"]
        segments = batch.get("token_type_ids") or [[0] * len(row) for row in rows]
        require([*map(len, rows)] == [*map(len, segments)], f"{where}: token_type_ids have not the shape of input_ids")
        require(len(positions) == len(labels), f"{where}: {len(positions)} positions, {len(labels)} labels")
        require(positions == sorted(set(positions)), f"{where}: positions do not rise")
        largest = max([*labels, *(token for row in rows for token in row)])
        require(largest < model.config.vocab_size, f"{where}: token {largest} of {model.config.vocab_size}")
        targets, ends = dict(zip(positions, labels)), [*accumulate(map(len, rows))]
        require(not positions or positions[-1] < ends[-1], f"{where}: position {positions[-1:]} of {ends[-1]} tokens")
        for row, kinds, end in zip(rows, segments, ends):
            start = end - len(row)
            read.append((row, kinds, {at - start: targets[at] for at in range(start, end) if at in targets}))
    return read


def check_text(rows, path, tokenizer, max_length):
    """Every row is a line of the file, and no line is used more often than it is there."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig") as file:
        lines = [line.strip() for line in file]
    encoded = tokenizer([line for line in lines if line], truncation=True, max_length=max_length)["input_ids"]
    unused = Counter(map(tuple, encoded))
    for number, (row, _, targets) in enumerate(rows):
        original = tuple(targets.get(place, token) for place, token in enumerate(row))
        text = tokenizer.decode(original)
        require(unused[original], f"row {number + 1} is no line of {path.name}, or one used already: {text!r}")
        unused[original] -= 1
    print(f"{len(rows)} rows are lines of {path.name} as the tokeniser cuts them")


def masked_loss(model, rows, size):
    """The mean loss over the chosen tokens of all rows, and how many there are."""
    total, count = 0.0, 0
    rows = sorted(rows, key=lambda row: len(row[0]))  # little padding
    for start in range(0, len(rows), size):
        part = [row for row in rows[start : start + size] if row[2]]
        if not part:
            continue
        starts = [0, *accumulate(len(row) for row, _, _ in part)]
        chosen = [(at + place, label) for at, (*_, targets) in zip(starts, part) for place, label in targets.items()]
        places, labels = map(list, zip(*chosen))
        logits = logits_of(model, [row for row, _, _ in part], [kinds for _, kinds, _ in part])[places]
        total += cross_entropy(logits.double(), torch.tensor(labels), reduction="sum").item()
        count += len(labels)
    return total / count, count


def main():
    options = arguments()
    disable_progress_bar()
    model = open_model(options.model)
    tokenizer = open_tokeniser(options.model, model)
    print(f"{type(model).__name__}, {sum(p.numel() for p in model.parameters())} weights, {len(tokenizer)} tokens")
    print_fillings(model, tokenizer, options.sentence, options.top)
    if not options.masks:
        return
    rows = read_masks(options.masks, model)
    require(any(targets for *_, targets in rows), f"{options.masks.name}: nothing is masked")
    if options.text:
        check_text(rows, options.text, tokenizer, options.max_length)
    loss, count = masked_loss(model, rows, options.batch)
    perplexity = math.exp(loss)
    print(f"masked loss {loss:.6f}, perplexity {perplexity:.4f}, {count} masked tokens of {len(rows)} rows")
    if options.expect_perplexity is not None:
        off = abs(options.expect_perplexity / perplexity - 1)
        words = f"gyeol's perplexity {options.expect_perplexity} is off by {off:.1e} of {perplexity:.4f}"
        require(off <= options.tolerance, f"{words}, over {options.tolerance}")
        print(words)


if __name__ == "__main__":
    main()
