"""Opens a model directory with sentence-transformers, or one of a default head with transformers, and compares the outputs with
those of gyeol. Run by hand, not in CI.

    gyeol predict DIR table.csv --logits -o outputs.csv
    python check_sentence.py DIR table.csv outputs.csv

The columns and the longest sequence are those of the directory's gyeol.json; a directory that gyeol did not write needs --text
and, as a bi-encoder, --text-pair. Prints one line; exits with 1 and says why when the outputs differ, or when a tensor that is
used is not in the files.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from check_written import predict, read_table, require
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import pairwise_cos_sim
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, set_verbosity_error


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="directory")
    parser.add_argument("table", type=Path, help="the CSV the outputs were predicted from")
    parser.add_argument("outputs", type=Path, help="written by `gyeol predict --logits`")
    parser.add_argument("--text")
    parser.add_argument("--text-pair")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--tolerance", type=float, default=1e-4, help="share of the largest output")
    options = parser.parse_args()
    settings = options.model / "gyeol.json"
    settings = json.loads(settings.read_text()) if settings.exists() else {"head": "bi-encoder"}
    for name in ("text", "text_pair", "max_length"):
        if getattr(options, name) is None:
            setattr(options, name, settings.get(name))
    options.head = settings.get("head", "default")
    return options


def check_loading(loading):
    """Nothing may be missing but BERT's pooler, which sentence-transformers does not look at."""
    missing = [key for key in loading["missing_keys"] if not str(key).startswith("pooler.")]
    for what, keys in [("missing", missing), *((key, loading[key]) for key in ("unexpected_keys", "mismatched_keys"))]:
        require(not keys, f"transformers reports {what}: {sorted(map(str, keys))}")


def sentence_outputs(options, table):
    """What sentence-transformers computes, one row a row of the table."""
    encoder = options.model / json.loads((options.model / "modules.json").read_text())[0]["path"]
    _, loading = AutoModel.from_pretrained(encoder, output_loading_info=True)
    check_loading(loading)
    model = SentenceTransformer(str(options.model), device="cpu")
    if options.max_length:
        require(model.max_seq_length == options.max_length, f"longest sequence {model.max_seq_length}")
    texts = table[options.text].tolist()
    encode = lambda inputs: model.encode(inputs, batch_size=options.batch, convert_to_tensor=True)
    if options.head == "bi-encoder":
        return pairwise_cos_sim(encode(texts), encode(table[options.text_pair].tolist())).unsqueeze(-1)
    return encode(list(zip(texts, table[options.text_pair])) if options.text_pair else texts)


def main():
    options = arguments()
    disable_progress_bar()
    set_verbosity_error()
    table, written = read_table(options.table), read_table(options.outputs)
    require(len(table) == len(written), f"{len(written)} rows of outputs for {len(table)} rows of the table")
    ours = written.iloc[:, 1:].to_numpy(dtype=np.float64)
    if options.head == "default":
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            options.model, dtype=torch.float32, output_loading_info=True
        )
        check_loading(loading)
        theirs = predict(model.eval(), AutoTokenizer.from_pretrained(options.model), table, options)
    else:
        theirs = sentence_outputs(options, table).double().numpy()
    require(ours.shape == theirs.shape, f"outputs {ours.shape}, theirs {theirs.shape}")
    deviations = np.abs(ours - theirs).max(axis=1) / np.abs(theirs).max()
    worst = int(deviations.argmax())
    require(
        deviations[worst] <= options.tolerance,
        f"row {worst + 1}: gyeol {ours[worst].tolist()}, theirs {theirs[worst].tolist()}: {deviations[worst]:.1e} of the "
        f"largest output, over {options.tolerance}",
    )
    print(f"same: {options.head}, {len(table)} rows, largest deviation {deviations[worst]:.1e} of the largest output")


if __name__ == "__main__":
    sys.exit(main())
