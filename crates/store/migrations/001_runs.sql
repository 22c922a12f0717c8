-- What run directories say, indexed. Times are seconds since 1970 (UTC); a REAL that is NULL was undefined or not reached.

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    recipe TEXT,
    status TEXT NOT NULL,
    metric TEXT,
    score REAL,
    steps INTEGER NOT NULL,
    total_steps INTEGER,
    started REAL,
    heartbeat REAL,
    seconds REAL,
    pid INTEGER,
    sweep TEXT,
    trial INTEGER,
    job INTEGER,
    fold_of TEXT,
    data_fingerprint TEXT,
    text_fingerprint TEXT,
    cleaning_fingerprint TEXT,
    base_fingerprint TEXT,
    code_version TEXT,
    note TEXT,
    tags TEXT NOT NULL,             -- a JSON list
    unreadable_report TEXT,
    journal_bytes INTEGER NOT NULL  -- how much of the journal this row knows
) STRICT;

CREATE INDEX runs_by_sweep ON runs (sweep, trial);

-- Every event but single steps.
CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    step INTEGER,
    body TEXT NOT NULL,             -- the line of the journal
    PRIMARY KEY (run, sequence)
) STRICT, WITHOUT ROWID;

-- Values in the course of a run: those of its evaluations, and the mean training loss since the one before.
CREATE TABLE metrics (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    name TEXT NOT NULL,
    value REAL,
    PRIMARY KEY (run, step, name)
) STRICT, WITHOUT ROWID;

-- Values at the end of a run: those of its report.
CREATE TABLE scores (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifacts (
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    path TEXT NOT NULL,             -- below the run's directory
    bytes INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sweeps (
    name TEXT PRIMARY KEY,
    metric TEXT NOT NULL,
    goal TEXT NOT NULL,
    method TEXT NOT NULL,
    status TEXT NOT NULL,
    created REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trials (
    sweep TEXT NOT NULL REFERENCES sweeps (name) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    assignment TEXT NOT NULL,       -- a JSON object: values by the name of their parameter
    run TEXT,
    score REAL,
    seconds REAL NOT NULL,
    PRIMARY KEY (sweep, number)
) STRICT, WITHOUT ROWID;
