"""Checkpoint directories to start from: small models with large random weights, stored in the ways the hub has them."""

import json
import shutil
from collections import Counter

import torch
from safetensors.torch import save_file
from tables import AWKWARD, ENDINGS, MARKS, lexicon
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertTokenizer,
    ElectraConfig,
    RobertaConfig,
    RobertaTokenizer,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
POSITIONS = 48
LAYERS = 2
WIDE = {"hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 96}
NARROW = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 70}

# Architecture, its sizes, and the kind of tokeniser that goes with it.
FAMILIES = {
    "bert": (BertConfig, {**WIDE, "type_vocab_size": 2}, "wordpiece"),
    "bert-vocab.txt": (BertConfig, {**NARROW, "type_vocab_size": 2, "hidden_act": "gelu_new"}, "vocab.txt"),
    "roberta": (RobertaConfig, {**WIDE, "type_vocab_size": 1}, "bpe"),
    "roberta-klue": (RobertaConfig, {**NARROW, "type_vocab_size": 1, "layer_norm_eps": 1e-5}, "wordpiece"),
    "electra": (ElectraConfig, {**NARROW, "embedding_size": 32, "type_vocab_size": 2}, "wordpiece"),
    "electra-projected": (ElectraConfig, {**WIDE, "embedding_size": 24, "type_vocab_size": 2}, "wordpiece"),
}
PREFIXES = {"bert": "bert.", "roberta": "roberta.", "electra": "electra."}


def wordpieces(lowercase):
    """Every character of the lexicon on its own, and the commonest pieces of two and three."""
    stems, words = lexicon()
    pieces, characters = Counter(), set()
    for word in [*stems, *words, *MARKS, *"abcdefghijklmnopqrstuvwxyz0123456789,.?!\"[]/<>"]:
        word = word.lower() if lowercase else word
        characters |= {mark + c for c in word for mark in ("", "##")}
        pieces.update(word[:size] for size in (2, 3) if len(word) >= size)
        pieces.update("##" + word[1 : 1 + size] for size in (1, 2) if len(word) > size)
    common = [piece for piece, _ in sorted(pieces.items(), key=lambda item: (-item[1], item[0]))[:150]]
    return SPECIAL + sorted(characters) + [piece for piece in common if piece not in characters]


def write_tokeniser(directory, kind):
    """Writes the tokeniser's files; the number of its tokens."""
    if kind == "bpe":
        stems, words = lexicon()
        trained = ByteLevelBPETokenizer()
        trained.train_from_iterator(
            stems + words + MARKS + AWKWARD,
            vocab_size=420,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            show_progress=False,
        )
        trained.save_model(str(directory))
        RobertaTokenizer.from_pretrained(directory).save_pretrained(directory)
    elif kind == "vocab.txt":
        # Nothing but the vocabulary: lower-casing, as the class does by default.
        (directory / "vocab.txt").write_text("\n".join(wordpieces(True)) + "\n", encoding="utf-8")
        return len(wordpieces(True))
    else:
        vocabulary = directory / "vocab.txt"
        vocabulary.write_text("\n".join(wordpieces(False)) + "\n", encoding="utf-8")
        tokenizer = BertTokenizer.from_pretrained(directory, do_lower_case=False)
        vocabulary.unlink()
        tokenizer.save_pretrained(directory)
    return len(AutoTokenizer.from_pretrained(directory))


def make_model(family, vocabulary, outputs, seed):
    """A classifier whose every weight matters: far from `initializer_range`, biases not zero, norms not the identity."""
    config_class, sizes, tokeniser = FAMILIES[family]
    special = {"pad_token_id": 0}
    if tokeniser == "bpe":
        special = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    elif config_class is RobertaConfig:
        special = {"bos_token_id": 2, "pad_token_id": 0, "eos_token_id": 3}
    config = config_class(
        **sizes,
        **special,
        vocab_size=vocabulary + 3,  # checkpoints often have rows to spare
        num_hidden_layers=LAYERS,
        max_position_embeddings=POSITIONS,
        num_labels=outputs,
    )
    model = AutoModelForSequenceClassification.from_config(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm.weight" in name:
                parameter.copy_(1 + 0.2 * noise.clamp(-2, 2))
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            elif "_embeddings" in name:
                parameter.copy_(0.5 * noise)
            else:
                parameter.copy_(noise * 1.25 / parameter.shape[1] ** 0.5)
    return model


def old_names(state):
    """What conversions from TensorFlow left in early files: LayerNorm's old names, and a buffer."""
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in state.items()
    }
    prefix = next(iter(state)).split(".")[0]
    renamed[f"{prefix}.embeddings.position_ids"] = torch.arange(POSITIONS).unsqueeze(0)
    return renamed


def without_head(state, prefix):
    """The encoder alone, under the names the bare model has; BERT's pooler is part of it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def pretrained(state, prefix):
    """The encoder without BERT's pooler, and a tensor that only pre-training has a use for."""
    kept = {name: t for name, t in state.items() if name.startswith(prefix) and "pooler" not in name}
    use = {"bert.": "cls.predictions.bias", "roberta.": "lm_head.bias", "electra.": "discriminator_predictions.dense.bias"}
    return {**kept, use[prefix]: torch.ones(7)}


def write_base(directory, family, store, head, outputs, seed):
    """A checkpoint of `family`, its weights stored as `store` says.

    `head`: "own" (for `outputs` labels), "other" (for two labels more), "none" (the bare encoder), "language model" (the
    encoder with what pre-training needed).
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    vocabulary = write_tokeniser(directory, FAMILIES[family][2])
    model = make_model(family, vocabulary, outputs + 2 if head == "other" else outputs, seed)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(directory)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if head == "none":
        state = without_head(state, PREFIXES[model.config.model_type])
    if head == "language model":
        state = pretrained(state, PREFIXES[model.config.model_type])
    if store == "safetensors":
        save_file(state, directory / "model.safetensors", {"format": "pt"})
    elif store == "half":
        save_file({name: t.half() for name, t in state.items()}, directory / "model.safetensors", {"format": "pt"})
    elif store == "bin":
        torch.save(state, directory / "pytorch_model.bin")
    elif store == "old-bin":
        torch.save(old_names(state), directory / "pytorch_model.bin")
    else:
        write_shards(directory, state, store)


def write_shards(directory, state, store):
    """Three shards and their index; `store` is "sharded-safetensors" or "sharded-bin"."""
    stem, suffix = ("model", "safetensors") if store.endswith("safetensors") else ("pytorch_model", "bin")
    weight_map, names = {}, list(state)
    for shard in range(3):
        part = {name: state[name] for name in names[shard::3]}
        file = f"{stem}-{shard + 1:05}-of-00003.{suffix}"
        if suffix == "bin":
            torch.save(part, directory / file)
        else:
            save_file(part, directory / file, {"format": "pt"})
        weight_map.update(dict.fromkeys(part, file))
    size = sum(tensor.numel() * 4 for tensor in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (directory / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))
