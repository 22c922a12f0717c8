"""Writes tokeniser/<name>/ (tiny tokeniser directories) and tokeniser/expected.json (what transformers' AutoTokenizer
makes of awkward texts in each). Made with transformers 5.23: python make_tokeniser.py"""

import json
import math
import shutil
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

OUT = Path(__file__).parent / "tokeniser"

TEXTS = [
    "",
    " ",
    "정말 재미있는 영화였습니다",
    "이 영화 진짜 노잼ㅋㅋㅋㅋ 돈 아까움ㅠㅠ",
    "ㅋㅋ ㅠㅠ ㅎㅎ ㅡㅡ",
    "최고😊👍🏽 또 볼래요♥★",
    "가\u1100\u1161나 e\u0301 é \u212b",
    "Café NAÏVE Straße ÀÉÎ İstanbul",
    "中文字符と日本語 mixed 漢字abc",
    "tab\there\nnew line\r\nzero\u200bwidth\u00a0nbsp\u3000wide",
    "nul\u0000 bell\u0007 del\u007f rep\ufffd soft\u00ad",
    "문장 [SEP] 중간 [CLS][MASK] [PAD]끝",
    "<s>본문</s><mask> <pad><unk>",
    "[LAUGH] 웃음[CRY]울음 [laugh]",
    "don't it's 3.14 $5.00 -- ... !!!???",
    "a" * 101 + " " + "b" * 100,
    "모르는글자 뷁쀍 ꙮ 𓀀",
    "  앞뒤   공백  ",
    "UPPER lower MiXeD",
    "①②③ ½ ﬁ ＡＢＣ ㎏",
    "이 영화는 정말 좋았다. " * 40,
    "긴공백없는문장" * 30,
]
SECONDS = ["", "영화 평점", "the second text, 조금 더 길다 ㅋㅋ [SEP] 끝", "좋다 " * 60]
PAIRS = [(text, SECONDS[at % len(SECONDS)]) for at, text in enumerate(TEXTS)]
LENGTHS = [6, 13, 128]
CORPUS = TEXTS * 3 + SECONDS * 3
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write(folder, name, value):
    folder.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    (folder / name).write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8")


def wordpiece(lowercase, strip_accents=None, size=360):
    """The commonest pieces of one or two characters: the library's own trainer breaks ties differently each time."""
    normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strip_accents)
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces = Counter()
    for text in CORPUS:
        for word, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text[:40])):
            for start in range(len(word)):
                for end in range(start + 1, min(start + 2, len(word)) + 1):
                    pieces[("##" if start else "") + word[start:end]] += 1
    ranked = sorted(pieces, key=lambda piece: (-pieces[piece], len(piece), piece))
    vocab = {token: at for at, token in enumerate((BERT_SPECIAL + ranked)[:size])}
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(BERT_SPECIAL)
    return tokenizer


def vocab_txt(tokenizer):
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return "\n".join(token for token, _ in vocab)


def template(tokenizer):
    special = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=special
    )
    return tokenizer


def bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def unigram(size=300):
    """Scores from how often pieces of one to three characters occur, for the same reason as in `wordpiece`."""
    pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    pieces = Counter()
    for text in CORPUS:
        for word, _ in pre_tokenizer.pre_tokenize_str(text[:40]):
            for start in range(len(word)):
                for end in range(start + 1, min(start + 3, len(word)) + 1):
                    pieces[word[start:end]] += 1
    ranked = sorted(pieces, key=lambda piece: (-pieces[piece], len(piece), piece))[: size - len(BERT_SPECIAL)]
    total = sum(pieces[piece] for piece in ranked)
    scored = [(piece, math.log(pieces[piece] / total)) for piece in ranked]
    tokenizer = Tokenizer(models.Unigram([(token, 0.0) for token in BERT_SPECIAL] + scored, unk_id=1))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(BERT_SPECIAL)
    return tokenizer


def directories():
    # A lower-casing vocab.txt with nothing beside it but the model's configuration: the class's defaults.
    folder = OUT / "bert-lower"
    write(folder, "vocab.txt", vocab_txt(wordpiece(True)))
    write(folder, "config.json", {"model_type": "bert"})

    # Cased Korean, with further special tokens that are in no vocabulary.
    folder = OUT / "bert-cased"
    write(folder, "vocab.txt", vocab_txt(wordpiece(False, False)))
    write(folder, "config.json", {"model_type": "bert"})
    write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": False,
            "tokenize_chinese_chars": False,
            "additional_special_tokens": ["[LAUGH]", "[CRY]"],
        },
    )

    # tokenizer.json says lower case, and carries padding and truncation; tokenizer_config.json says otherwise.
    folder = OUT / "bert-json"
    tokenizer = template(wordpiece(True, size=260))
    tokenizer.enable_padding(length=32)
    tokenizer.enable_truncation(9)
    write(folder, "tokenizer.json", tokenizer.to_str(pretty=False))
    write(folder, "config.json", {"model_type": "bert"})
    write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "BertTokenizerFast",
            "do_lower_case": False,
            "strip_accents": True,
            "truncation_side": "left",
        },
    )

    # klue: a RoBERTa model with a BERT vocabulary; older special_tokens_map.json and added_tokens.json.
    folder = OUT / "klue"
    write(folder, "tokenizer.json", template(wordpiece(False, False, size=260)).to_str(pretty=False))
    write(folder, "config.json", {"model_type": "roberta"})
    write(
        folder,
        "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "bos_token": "[CLS]", "eos_token": "[SEP]"},
    )
    write(folder, "special_tokens_map.json", {"additional_special_tokens": ["[LAUGH]"], "mask_token": "[MASK]"})
    write(folder, "added_tokens.json", {"[LAUGH]": 260, "노잼": 261})

    # ELECTRA, lower-casing that keeps accents, under its own class name.
    folder = OUT / "electra"
    write(folder, "vocab.txt", vocab_txt(wordpiece(True, False)))
    write(folder, "config.json", {"model_type": "electra"})
    write(
        folder,
        "tokenizer_config.json",
        {"tokenizer_class": "ElectraTokenizer", "do_lower_case": True, "strip_accents": False},
    )

    # Byte-level RoBERTa, as tokenizer.json and as the two older files.
    tokenizer = bpe()
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>")), True, False
    )
    definition = json.loads(tokenizer.to_str())
    for token in definition["added_tokens"]:
        token["lstrip"] = token["content"] == "<mask>"
    folder = OUT / "roberta"
    write(folder, "tokenizer.json", definition)
    write(folder, "config.json", {"model_type": "roberta"})
    folder = OUT / "roberta-files"
    write(folder, "vocab.json", definition["model"]["vocab"])
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in definition["model"]["merges"]]
    write(folder, "merges.txt", "#version: 0.2\n" + "\n".join(merges))
    write(folder, "config.json", {"model_type": "roberta"})
    write(folder, "tokenizer_config.json", {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True})

    # Unigram, which has no class of its own: tokenizer.json names its steps, tokenizer_config.json the special tokens.
    folder = OUT / "unigram"
    write(folder, "tokenizer.json", template(unigram()).to_str(pretty=False))
    write(folder, "config.json", {"model_type": "bert"})
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), BERT_SPECIAL))
    write(folder, "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **named})

    # A class of its own: tokenizer.json as it is, with tokens of tokenizer_config.json and no segment ids.
    folder = OUT / "generic"
    tokenizer = template(wordpiece(False, False, size=260))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.enable_truncation(10, direction="left")
    write(folder, "tokenizer.json", tokenizer.to_str(pretty=False))
    write(folder, "config.json", {"model_type": "bert"})
    flags = {"lstrip": False, "normalized": True, "rstrip": True, "single_word": False}
    write(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "do_lower_case": False,
            "model_input_names": ["input_ids", "attention_mask"],
            "added_tokens_decoder": {
                "2": {"content": "[CLS]", **flags, "special": True},
                "300": {"content": "영화", **flags, "special": False},
            },
            "cls_token": "[CLS]",
            "sep_token": {"__type": "AddedToken", "content": "[SEP]", **flags, "special": True},
            "pad_token": "[PAD]",
            "mask_token": "[MASK]",
        },
    )


def encoded(tokenizer, length, texts, seconds=None):
    out = tokenizer(texts, seconds, truncation=True, max_length=length, padding=False, return_attention_mask=False)
    rows = {"ids": out["input_ids"]}
    if seconds is not None:
        segments = out.get("token_type_ids") or [[0] * len(ids) for ids in out["input_ids"]]
        rows["segments"] = ["".join(map(str, row)) for row in segments]
    return rows


def masking(tokenizer):
    """A piece continues a word if the decoder puts no space before it; added tokens are no pieces."""
    backend = tokenizer.backend_tokenizer
    wordpiece = isinstance(backend.model, models.WordPiece)
    decoder = decoders.WordPiece(prefix="##", cleanup=False) if wordpiece else backend.decoder
    added = tokenizer.added_tokens_decoder
    special = set(tokenizer.all_special_ids) | {token for token, about in added.items() if about.special}
    pieces = sorted((token, piece) for piece, token in tokenizer.get_vocab().items())
    continues = [
        token
        for token, piece in pieces
        if token not in added and token not in special and not decoder.decode(["a", piece]).startswith("a ")
    ]
    return {"mask": tokenizer.mask_token_id, "special": sorted(special), "continues": continues}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    directories()
    expected = {"texts": TEXTS, "pairs": PAIRS, "lengths": LENGTHS, "tokenisers": {}}
    for folder in sorted(path for path in OUT.iterdir() if path.is_dir()):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        expected["tokenisers"][folder.name] = {
            "class": type(tokenizer).__name__,
            "vocab_size": max(tokenizer.get_vocab().values()) + 1,
            "masking": masking(tokenizer),
            "singles": [encoded(tokenizer, length, TEXTS) for length in LENGTHS],
            "pairs": [encoded(tokenizer, length, TEXTS, [pair for _, pair in PAIRS]) for length in LENGTHS],
        }
    write(OUT, "expected.json", json.dumps(expected, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
