"""Goldens of the heads over pooled tokens, made with sentence-transformers: the engine is compared with these files.

    pip install torch transformers safetensors sentence-transformers
    python make_heads.py           # rewrites every case directory `head_…` beside this script

A case starts from the encoder of another one's checkpoint (`model` in expected.json). Its directory holds
    head.safetensors        the dense layers, named after their modules: `2_Dense.linear.weight` and so on; none of a bi-encoder
    batches.json            one batch: {input_ids, token_type_ids, labels}; the rows are ragged
    expected.json           {model, head, outputs, loss}: of that batch, mean over its rows
    gradients.safetensors   the gradient of every parameter of encoder and head

Outputs are those of sentence-transformers' own modules: Pooling and Dense, and for bi-encoders CosineSimilarityLoss, whose two
texts follow each other as two sequences of input_ids. Everything is computed a second time in float64, as in make.py.
"""

import shutil

import torch
from make import CASES, HERE, LONGEST, check_noise, make_batches, noise, write_json, write_tensors
from sentence_transformers import SentenceTransformer, losses
from sentence_transformers.models import Dense, Pooling
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy, mse_loss
from transformers import AutoModel
from transformers.utils.logging import disable_progress_bar

ACTIVATIONS = {"tanh": nn.Tanh, "gelu": nn.GELU, "relu": nn.ReLU}

# name: the case whose encoder it takes, pooling, widths (None: bi-encoder), activation, outputs (1: regression), seed
HEADS = {
    "head_linear_cls": ("electra_proj_reg", "cls", [], "tanh", 1, 101),
    "head_linear_mean": ("roberta_cls_pairs", "mean", [], "tanh", 4, 102),
    "head_linear_max": ("bert_gelu_new_cls", "max", [], "tanh", 4, 103),
    "head_mlp_cls": ("bert_reg_pairs", "cls", [12], "tanh", 1, 104),
    "head_mlp_mean": ("electra_cls", "mean", [12, 7], "gelu", 4, 105),
    "head_mlp_max": ("roberta_reg", "max", [9, 5], "relu", 1, 106),
    "head_bi_encoder_mean": ("bert_reg_pairs", "mean", None, None, 1, 107),
    "head_bi_encoder_max": ("electra_proj_reg", "max", None, None, 1, 108),
    "head_bi_encoder_cls": ("roberta_cls_pairs", "cls", None, None, 1, 109),
}


def dense_layers(hidden, widths, activation, outputs, generator):
    """The dense modules of a head, with weights that all matter."""
    ends = [hidden, *widths, outputs]
    functions = [*(ACTIVATIONS[activation]() for _ in widths), nn.Identity()]
    layers = [Dense(a, b, activation_function=f) for a, b, f in zip(ends, ends[1:], functions)]
    with torch.no_grad():
        for layer in layers:
            layer.linear.weight.copy_(0.4 * torch.randn(layer.linear.weight.shape, generator=generator))
            layer.linear.bias.copy_(0.1 * torch.randn(layer.linear.bias.shape, generator=generator))
    return layers


class Encoder(nn.Module):
    """An encoder of transformers as a module of sentence-transformers."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, features, **_):
        names = ("input_ids", "token_type_ids", "attention_mask")
        features["token_embeddings"] = self.model(**{name: features[name] for name in names}).last_hidden_state
        return features


def features(config, ids, kinds):
    """Ragged rows as padded tensors."""
    width = max(map(len, ids))
    pad = lambda row, value: row + [value] * (width - len(row))
    kinds = [[min(kind, config.type_vocab_size - 1) for kind in row] for row in kinds]
    return {
        "input_ids": torch.tensor([pad(row, config.pad_token_id) for row in ids]),
        "token_type_ids": torch.tensor([pad(row, 0) for row in kinds]),
        "attention_mask": torch.tensor([pad([1] * len(row), 0) for row in ids]),
    }


def batch_of(case, outputs, bi_encoder, seed):
    """Five rows; of a bi-encoder five pairs of texts of different lengths, with targets from 0 to 1."""
    architecture, _, pairs, _, _ = CASES[case]
    (batch,) = make_batches(architecture, pairs and not bi_encoder, outputs, [10 if bi_encoder else 5], seed)
    if bi_encoder:
        lengths = list(map(len, batch["input_ids"]))
        assert any(a != b for a, b in zip(lengths[::2], lengths[1::2])) and max(lengths) == LONGEST
        batch["labels"] = [round(label / 5, 3) for label in batch["labels"][::2]]
    return batch


def compute(case, head, dtype):
    """Outputs, mean loss, gradients by name, and the dense layers."""
    start, pooling, widths, activation, outputs, seed = head
    bi_encoder = widths is None
    model = AutoModel.from_pretrained(HERE / start, attn_implementation="eager", dtype=torch.float32)
    config = model.config
    layers = [] if bi_encoder else dense_layers(
        config.hidden_size, widths, activation, outputs, torch.Generator().manual_seed(seed)
    )
    modules = [Encoder(model), Pooling(config.hidden_size, pooling_mode=pooling), *layers]
    modules = nn.ModuleList(modules).to(dtype).eval()
    encode = lambda inputs: nn.Sequential(*modules)(inputs)["sentence_embedding"]
    batch = batch_of(start, outputs, bi_encoder, seed)
    inputs = features(config, batch["input_ids"], batch["token_type_ids"])
    labels = torch.tensor(batch["labels"], dtype=dtype if outputs == 1 else torch.long)
    if bi_encoder:
        sides = [{name: tensor[side::2] for name, tensor in inputs.items()} for side in (0, 1)]
        u, v = map(encode, sides)
        results = cosine_similarity(u, v).unsqueeze(-1)
        loss = losses.CosineSimilarityLoss(SentenceTransformer(modules=[*modules], device="cpu"))(sides, labels)
        torch.testing.assert_close(loss, mse_loss(results.squeeze(-1), labels))
    else:
        results = encode(inputs)
        loss = mse_loss(results.squeeze(-1), labels) if outputs == 1 else cross_entropy(results, labels)
    loss.backward()
    prefix = model.base_model_prefix
    named = {f"{prefix}.{name}": p for name, p in model.named_parameters() if not name.startswith("pooler.")}
    dense = {f"{i + 2}_Dense.linear.{name}": p for i, l in enumerate(layers) for name, p in l.linear.named_parameters()}
    gradients = {name: p.grad.detach().clone().contiguous() for name, p in {**named, **dense}.items()}
    dense = {name: p.detach().clone().contiguous() for name, p in dense.items()}
    return batch, results.detach(), loss.item(), gradients, dense


def make_head(name):
    head, directory = HEADS[name], HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    batch, outputs, loss, gradients, dense = compute(name, head, torch.float32)
    _, exact, _, exact_gradients, _ = compute(name, head, torch.float64)
    check_noise(name, "outputs", noise({"outputs": exact}, {"outputs": outputs}))
    check_noise(name, "gradients", noise(exact_gradients, gradients, ["key.bias"]))
    start, pooling, widths, activation, count, _ = head
    shape = {"pooling": pooling, "widths": widths, "activation": activation, "outputs": count}
    write_json(directory / "batches.json", [batch])
    expected = {"model": start, "hyper": {}, "head": shape, "outputs": outputs.tolist(), "loss": loss}
    write_json(directory / "expected.json", expected)
    write_tensors(directory / "gradients.safetensors", gradients)
    if dense:
        write_tensors(directory / "head.safetensors", dense)


if __name__ == "__main__":
    disable_progress_bar()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case in HEADS:
        make_head(case)
