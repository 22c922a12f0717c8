"""Writes extended.json: what transformers makes of texts in the directories of tokeniser/ once their tokenisers are given
further special tokens. Made with transformers 5.23: python make_extended.py"""

import json
from pathlib import Path

from transformers import AutoTokenizer

HERE = Path(__file__).parent
TOKENS = ["[WOW]", "[LAUGH]", "[THUMBS_UP]"]
TEXTS = [
    "[LAUGH] 좋아요",
    "영화[WOW]정말",
    "[wow] [WOW ] [[WOW]] [CRY]",
    "a [THUMBS_UP] [THUMBS_UP]  b [SEP] </s>",
    "",
]


def main():
    expected = {"tokens": TOKENS, "texts": TEXTS, "tokenisers": {}}
    for folder in sorted((HERE / "tokeniser").iterdir()):
        if not folder.is_dir():
            continue
        tokenizer = AutoTokenizer.from_pretrained(folder)
        new = [token for token in TOKENS if token not in tokenizer.get_added_vocab()]
        tokenizer.add_tokens(new, special_tokens=True)
        expected["tokenisers"][folder.name] = {
            "ids": tokenizer.convert_tokens_to_ids(TOKENS),
            "rows": tokenizer(TEXTS, return_attention_mask=False)["input_ids"],
        }
    (HERE / "extended.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


main()
