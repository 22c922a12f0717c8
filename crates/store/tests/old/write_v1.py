"""Writes v1.db: a store of schema 1 with a little of everything, without the code it tests.

    python3 write_v1.py

Made once, when 1 was the latest version; kept to see that later versions open it.
"""

import pathlib
import sqlite3

here = pathlib.Path(__file__).parent
path = here / "v1.db"
path.unlink(missing_ok=True)
db = sqlite3.connect(path)
db.execute("PRAGMA page_size = 512")
db.executescript((here / "../../migrations/001_runs.sql").read_text())
run = """INSERT INTO runs (name, recipe, status, metric, score, steps, total_steps, started, heartbeat, seconds, pid, sweep,
    trial, fold_of, data_fingerprint, text_fingerprint, code_version, note, tags, journal_bytes)
    VALUES (?, 'kcbert', ?, 'accuracy', ?, ?, 40, ?, ?, 60.5, 4321, ?, ?, NULL, 'd', 't', '0.1.0', ?, ?, 2048)"""
db.execute(run, ("kcbert-001", "finished", 0.8125, 40, 1e9, 1e9 + 60, None, None, "the first", '["baseline","한글"]'))
db.execute(run, ("kcbert-002", "interrupted", None, 7, 1e9 + 100, 1e9 + 107, "night", 1, None, "[]"))
events = [("started", None), ("evaluation", 20), ("finished", None)]
for sequence, (kind, step) in enumerate(events):
    body = f'{{"time":1e9,"event":"{kind}"}}'
    db.execute("INSERT INTO events VALUES (1, ?, ?, ?, ?, ?)", (sequence, 1e9 + sequence, kind, step, body))
db.execute("INSERT INTO metrics VALUES (1, 20, 'accuracy', 0.75), (1, 20, 'train_loss', 0.5)")
db.execute("INSERT INTO scores VALUES (1, 'accuracy', 0.8125), (1, 'pearson', NULL)")
db.execute("INSERT INTO artifacts VALUES (1, 'model', 'model', 4096)")
db.execute("INSERT INTO sweeps VALUES ('night', 'accuracy', 'maximize', 'bayes', 'paused', 1e9)")
assignment = '{"train.learning_rate":3e-05,"train.schedule":"linear"}'
db.execute("INSERT INTO trials VALUES ('night', 1, 'sampler', 'paused', ?, 'kcbert-002', NULL, 7.5)", (assignment,))
db.execute("PRAGMA user_version = 1")
db.commit()
db.execute("VACUUM")
db.close()
print(path.stat().st_size, "bytes")
