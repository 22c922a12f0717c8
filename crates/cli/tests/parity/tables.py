"""Tables of made-up reviews in every format gyeol reads, with the awkward cells that real tables have."""

import gzip
import json
import random
from dataclasses import dataclass

import pandas as pd

SYLLABLES = "가나다라마바사아자차카타파하거너더러머버서어저처고노도로모보소오조초구누두루무부수우주추기니리미비시이지치"
ENDINGS = ["가", "은", "를", "에서", "보다", "였다", "네요", "습니다"]
MARKS = ["ㅋㅋ", "ㅠㅠ", "!!", "...", "♥", "😊", "good", "Really?", "10점"]

# Cells that a reader, a tokeniser or a padding mask may get wrong; they are put among the ordinary ones.
AWKWARD = ["", "쉼표, \"따옴표\"와\n줄바꿈", "[SEP] 가운데 [MASK] 끝", "<s> </s> 본문", "[PAD] 채움 <pad> 뒤", "NA", "  앞뒤 공백  ", "뷁 ꙮ"]

LABELS = {
    "integers": [0, 1, 2, 3],
    "gaps": [1, 2, 5, 10],  # ordered by value, not as text
    "strings": ["강한 긍정", "강한 부정", "약한 긍정", "약한 부정"],
    "scores": None,
}


def lexicon():
    """The words every table and every vocabulary is made of."""
    draw = random.Random(0)
    stems = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 3))) for _ in range(80)]
    return stems, [stem + ending for stem in stems for ending in ENDINGS]


def sentence(draw, words):
    stems, inflected = lexicon()
    picked = [draw.choice(MARKS if draw.random() < 0.15 else inflected + stems) for _ in range(words)]
    return " ".join(picked)


@dataclass
class Table:
    """Rows in file order; `seconds` is None for single texts, `targets` are class indices or scores."""

    ids: list
    texts: list
    seconds: list | None
    labels: list
    targets: list
    names: list | None  # the classes in order, as text; None for scores

    @property
    def outputs(self):
        return len(self.names) if self.names else 1


def make_table(rows, labels, pairs, seed):
    """`rows` rows: short and over-long texts, and every awkward cell on each side of a pair at some place."""
    draw = random.Random(seed)

    def column():
        texts = [sentence(draw, draw.choice([1, 3, 6, 10, 40])) for _ in range(rows)]
        for place, cell in zip(draw.sample(range(rows), len(AWKWARD)), AWKWARD):
            texts[place] = cell
        return texts

    names = LABELS[labels]
    if names is None:
        # The first has a fraction whatever is drawn, so that the task is inferred.
        targets = [2.5] + [round(draw.uniform(0, 5), 1) for _ in range(rows - 1)]
        cells = targets
    else:
        targets = [row if row < len(names) else draw.randrange(len(names)) for row in range(rows)]
        draw.shuffle(targets)
        cells = [names[target] for target in targets]
    return Table(
        ids=[f"r{seed}-{row:03}" for row in draw.sample(range(1000), rows)],
        texts=column(),
        seconds=column() if pairs else None,
        labels=cells,
        targets=targets,
        names=names and [str(name) for name in names],
    )


def write_table(table, path, labelled=True):
    """Writes the format the name of `path` asks for; `.gz` may follow it."""
    columns = {"ID": table.ids, "한 문장": table.texts}
    if table.seconds:
        columns["둘째"] = table.seconds
    if labelled:
        columns["label"] = table.labels
    frame = pd.DataFrame(columns)
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[1]
    if kind == "parquet":
        frame.to_parquet(path, index=False)
        return
    if kind == "jsonl":
        lines = (json.dumps(row, ensure_ascii=False) for row in frame.to_dict("records"))
        data = "".join(line + "\n" for line in lines).encode()
    else:
        # Excel's byte-order mark on one of the two.
        mark = b"\xef\xbb\xbf" if kind == "csv" else b""
        data = mark + frame.to_csv(index=False, sep="\t" if kind == "tsv" else ",").encode()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
