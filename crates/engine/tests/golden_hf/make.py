"""Makes the files of this directory: tiny checkpoints as PyTorch and transformers write them, and what is in them.

Run it with torch, safetensors and transformers: `python make.py`. The output depends on nothing but their versions.
"""

import io
import json
import os
import pickle
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CONFIG_MAPPING, BertConfig, ElectraModel

HERE = Path(__file__).parent


def fresh(name):
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def modern(name):
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


DTYPES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
    torch.int64: "I64", torch.bool: "BOOL", torch.uint16: "U16",
}


def expectation(tensors):
    def values(tensor):
        return tensor.detach().float().flatten().tolist() if tensor.is_floating_point() else None

    return {
        modern(name): {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "values": values(tensor)}
        for name, tensor in tensors.items()
    }


def tensors():
    torch.manual_seed(7)
    shared = torch.randn(12)
    return OrderedDict([
        ("embeddings.weight", torch.nn.Parameter(torch.randn(5, 3))),
        ("embeddings.LayerNorm.gamma", torch.randn(3)),
        ("embeddings.LayerNorm.beta", torch.randn(3)),
        ("embeddings.position_ids", torch.arange(6).unsqueeze(0)),
        ("half", torch.randn(2, 4).half()),
        ("brain", torch.randn(4, 2).bfloat16()),
        ("double", torch.randn(3, dtype=torch.float64)),
        ("transposed", torch.randn(3, 4).t()),
        ("permuted", torch.randn(2, 3, 4).permute(2, 0, 1)[1:]),
        ("expanded", torch.randn(3, 1).expand(3, 4)),
        ("shared.head", shared[:6].view(2, 3)),
        ("shared.tail", shared[5:11:2]),
        ("scalar", torch.tensor(1.5)),
        ("empty", torch.zeros(0, 3)),
        ("flags", torch.tensor([True, False])),
    ])


def state_dict():
    # A state dict carries the versions of its modules as an attribute.
    state = tensors()
    state._metadata = OrderedDict([("", {"version": 1})])
    return state


def rewritten(source, target, change=lambda name, data: data, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for info in old.infolist():
            kept = zipfile.ZipInfo(info.filename, date_time=(1980, 1, 1, 0, 0, 0))
            kept.compress_type = compression
            new.writestr(kept, change(info.filename, old.read(info)))


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def archive(path, program):
    """A `torch.save` archive whose pickle is `program`."""
    rewritten(HERE / "bin" / "pytorch_model.bin", path, lambda name, data: program if name.endswith("data.pkl") else data)


def torch_files():
    whole = fresh("bin") / "pytorch_model.bin"
    torch.save(state_dict(), whole)
    write_json(HERE / "bin" / "expected.json", expectation(state_dict()))
    torch.save(state_dict(), fresh("bin_protocol4") / "pytorch_model.bin", pickle_protocol=4)

    untyped = OrderedDict([("weight", torch.ones(2)), ("codes", torch.tensor([1, 2], dtype=torch.uint16))])
    torch.save(untyped, fresh("bin_untyped") / "pytorch_model.bin")
    write_json(HERE / "bin_untyped" / "expected.json", expectation(untyped))

    refused = fresh("refused")
    small = OrderedDict([("weight", torch.ones(2))])
    legacy = io.BytesIO()
    torch.save(small, legacy, _use_new_zipfile_serialization=False)
    # Its beginning tells it apart; further on it has addresses, which change from run to run.
    (refused / "legacy.bin").write_bytes(legacy.getvalue()[:24])
    torch.save(small, refused / "small.bin")
    rewritten(refused / "small.bin", refused / "compressed.bin", compression=zipfile.ZIP_DEFLATED)
    rewritten(refused / "small.bin", refused / "big_endian.bin", lambda name, data: b"big" if name.endswith("byteorder") else data)
    rewritten(refused / "small.bin", refused / "short_storage.bin", lambda name, data: data[:4] if "/data/" in name else data)
    (refused / "small.bin").unlink()
    torch.save({"state_dict": small, "epoch": 3}, refused / "nested.bin")
    torch.save(torch.ones(2), refused / "bare_tensor.bin")

    hostile = fresh("hostile")
    touch = "touch gyeol_was_here"
    archive(hostile / "system.bin", pickle.dumps({"weight": Calls(os.system, touch)}, protocol=2))
    archive(hostile / "system4.bin", pickle.dumps({"weight": Calls(os.system, touch)}, protocol=4))
    archive(hostile / "eval.bin", pickle.dumps({"weight": Calls(eval, "1")}, protocol=2))
    archive(hostile / "getattr.bin", pickle.dumps(OrderedDict(weight=Calls(getattr, "text", "upper")), protocol=2))
    # The INST instruction names and calls in one go.
    archive(hostile / "inst.bin", b"(X\x14\x00\x00\x00touch gyeol_was_hereios\nsystem\n.")
    archive(hostile / "object.bin", pickle.dumps(Path("x"), protocol=2))


def sharded():
    named = {modern(name): tensor.detach().contiguous().clone() for name, tensor in tensors().items() if name != "flags"}
    parts = [dict(list(named.items())[:6]), dict(list(named.items())[6:])]
    for directory, stem, suffix in [("sharded_safetensors", "model", "safetensors"), ("sharded_bin", "pytorch_model", "bin")]:
        directory = fresh(directory)
        weight_map = {}
        for number, part in enumerate(parts, 1):
            name = f"{stem}-{number:05}-of-00002.{suffix}"
            if suffix == "bin":
                torch.save(part, directory / name)
            else:
                save_file(part, directory / name, metadata={"format": "pt"})
            weight_map.update({tensor: name for tensor in part})
        write_json(directory / f"{stem}.{suffix}.index.json", {"metadata": {"total_size": 0}, "weight_map": weight_map})
        write_json(directory / "expected.json", expectation(named))
    whole = fresh("safetensors")
    save_file(named, whole / "model.safetensors", metadata={"format": "pt"})
    write_json(whole / "expected.json", expectation(named))


def configs():
    keys = [
        "vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_dropout_prob",
        "attention_probs_dropout_prob", "pad_token_id", "initializer_range", "num_labels",
    ]
    defaults = {}
    for kind in ["bert", "roberta", "xlm-roberta", "camembert", "electra"]:
        config = CONFIG_MAPPING[kind]()
        defaults[kind] = {key: getattr(config, key) for key in keys if hasattr(config, key)}
    write_json(HERE / "config_defaults.json", defaults)

    electra = CONFIG_MAPPING["electra"](vocab_size=40, embedding_size=6, hidden_size=8, num_hidden_layers=2,
                                        num_attention_heads=2, intermediate_size=12, max_position_embeddings=10)
    parameters = sum(parameter.numel() for parameter in ElectraModel(electra).parameters())
    write_json(HERE / "electra_config.json", electra.to_dict() | {"parameters": parameters})
    bert = BertConfig(id2label={0: "부정", 1: "긍정", 2: "중립"}, label2id={"부정": 0, "긍정": 1, "중립": 2}, classifier_dropout=0.25,
                      hidden_act="gelu_new", problem_type="single_label_classification")
    write_json(HERE / "bert_config.json", bert.to_dict() | {"my_own_key": {"kept": True}, "_name_or_path": "somewhere", "num_labels": 3})


if __name__ == "__main__":
    torch_files()
    sharded()
    configs()
