"""Writes profile/{train,test}.csv (invented reviews) and profile/expected.json: what NumPy, SciPy, unicodedata and a
plain reading of Monroe et al. (2008) make of them. Made with NumPy 2 and SciPy 1: python make_profile.py"""

import csv
import json
import math
import random
import re
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import stats

OUT = Path(__file__).parent / "profile"
PRIOR = 1000.0
LEAST_ROWS = 5

GOOD = ["최고", "감동", "재밌게", "추천", "인생", "Great"]
BAD = ["별로", "지루", "최악", "실망", "돈이", "아깝다"]
ANY = ["영화", "배우", "연기", "정말", "그냥", "결말", "CGV에서", "10점"]
SIGNS = {"0": ["ㅠㅠ", "ㅡㅡ", ""], "1": ["ㅋㅋ", "^^", "♥"], "2": ["", ".", "ㅋ"]}


def review(random, label):
    own = {"0": BAD, "1": GOOD, "2": GOOD + BAD}[label]
    words = [random.choice(own if random.random() < 0.5 else ANY) for _ in range(random.randint(2, 12))]
    return " ".join(words) + random.choice(["", "!", "..", "~"]) + " " * random.randint(0, 1) + random.choice(SIGNS[label])


def write(name, rows, header):
    with open(OUT / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def words(text):
    """Runs of letters and digits, composed, in small letters; runs of single jamo are none."""
    found = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower())
    return [word for word in found if not all("\u3131" <= c <= "\u318e" for c in word)]


def telling(texts, labels, label):
    here, there, rows = Counter(), Counter(), Counter()
    for text, of in zip(texts, labels):
        found = words(text)
        (here if of == label else there).update(found)
        rows.update(sorted(set(found)))
    n_here, n_there = sum(here.values()), sum(there.values())
    result = {}
    for word, count in rows.items():
        if count < LEAST_ROWS:
            continue
        a = PRIOR * (here[word] + there[word]) / (n_here + n_there)
        first = math.log((here[word] + a) / (n_here + PRIOR - here[word] - a))
        second = math.log((there[word] + a) / (n_there + PRIOR - there[word] - a))
        deviation = math.sqrt(1 / (here[word] + a) + 1 / (there[word] + a))
        result[word] = {"log_odds": first - second, "z": (first - second) / deviation}
    return result


def summary(values):
    p = np.percentile(values, [5, 25, 50, 75, 95, 99])
    return {"mean": float(np.mean(values)), "deviation": float(np.std(values)), "quantiles": p.tolist()}


def main():
    OUT.mkdir(exist_ok=True)
    rng = random.Random(7)
    train = [(label := rng.choice("00112"), review(rng, label)) for _ in range(160)]
    test = [review(rng, rng.choice("012")) + " " + rng.choice(["신작", "속편", "영화"]) for _ in range(60)]
    write("train.csv", [(text, label) for label, text in train], ["review", "label"])
    write("test.csv", [(text,) for text in test], ["review"])
    texts, labels = [text for _, text in train], [label for label, _ in train]
    lengths, other = [len(text) for text in texts], [len(text) for text in test]
    statistic = stats.ks_2samp(lengths, other, method="asymp").statistic
    scale = math.sqrt(len(lengths) * len(other) / (len(lengths) + len(other)))
    known = {word for text in texts for word in re.findall(r"[^\W_]+", text.lower())}
    there = [word for text in test for word in re.findall(r"[^\W_]+", text.lower())]
    expected = {
        "characters": summary(lengths),
        "words": summary([len(text.split()) for text in texts]),
        "telling": {label: telling(texts, labels, label) for label in "012"},
        "ks": {"statistic": float(statistic), "p_value": float(stats.kstwobign.sf(scale * statistic))},
        "tail": [[x, float(stats.kstwobign.sf(x))] for x in [0.3, 0.5, 0.9, 1.0, 1.36, 2.0, 4.0]],
        "unseen": sum(word not in known for word in there) / len(there),
        "evenness": float(stats.entropy(list(Counter(labels).values())) / math.log(3)),
    }
    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


main()
