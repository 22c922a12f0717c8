"""Writes table/pandas.parquet with pandas. Run by hand, as it alone needs pyarrow: python write_table.py"""

from pathlib import Path

import numpy as np
import pandas as pd

out = Path(__file__).parent / "table"
out.mkdir(exist_ok=True)
frame = pd.DataFrame(
    {
        "id": ["T0", "T1", "T2"],
        "text": ["정말 좋아요 ㅋㅋ", None, '두 줄\n"인용"'],
        "label": np.array([0, 3, -1], dtype=np.int64),
        "score": [0.5, None, 4.0],
        "half": np.array([0.1, 2.0, 1.5], dtype=np.float32),
        "flag": [True, False, True],
        "small": pd.array([1, None, 255], dtype="UInt8"),
        "kind": pd.Categorical(["긍정", "부정", "긍정"]),
        "tags": [["a"], [], ["b", "c"]],
    }
)
frame.to_parquet(out / "pandas.parquet", compression="zstd", index=False)
