-- Jobs, their dependencies and attempts, and the daemons that ran them. Times are seconds since 1970 (UTC).

CREATE TABLE jobs (
    -- Never given twice, even if the last job is removed.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT,
    -- The command's first words, as in "train": jobs of a kind are taken to last about as long.
    kind        TEXT NOT NULL,
    -- The command line after the program's name, a JSON list.
    words       TEXT NOT NULL,
    directory   TEXT NOT NULL,
    -- A JSON object.
    environment TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    -- NULL: as many as the daemon gives.
    threads     INTEGER,
    -- Bytes. NULL: nobody said, counted as none.
    memory      INTEGER,
    retries     INTEGER NOT NULL,
    deadline    REAL,
    added       REAL NOT NULL,
    state       TEXT NOT NULL
        CHECK (state IN ('waiting', 'paused', 'running', 'done', 'failed', 'cancelled', 'dropped')),
    -- When it came to this state.
    since       REAL NOT NULL,
    -- What it has been asked for while it runs.
    wish        TEXT CHECK (wish IN ('stop', 'pause', 'cancel', 'deadline')),
    -- A failed job is not tried again before.
    not_before  REAL,
    failures    INTEGER NOT NULL DEFAULT 0,
    -- Ran out of memory beside others: runs with no other.
    alone       INTEGER NOT NULL DEFAULT 0,
    -- Jobs behind it that were started first.
    overtaken   INTEGER NOT NULL DEFAULT 0,
    -- How the last attempt ended, for people.
    note        TEXT,
    -- The directory of the run it writes, or wrote last.
    run         TEXT
) STRICT;

CREATE INDEX jobs_by_state ON jobs (state);

CREATE TABLE job_after (
    job   INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    after INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (job, after)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_after_by_after ON job_after (after);

CREATE TABLE job_attempts (
    id        INTEGER PRIMARY KEY,
    job       INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    started   REAL NOT NULL,
    -- Written by the job's own process.
    pid       INTEGER,
    -- Whether another job ran at the same time.
    shared    INTEGER NOT NULL DEFAULT 0,
    -- NULL: it has not ended, or nobody saw it end.
    ended     REAL,
    -- NULL where a signal ended it, or nobody saw how.
    exit_code INTEGER
) STRICT;

CREATE INDEX job_attempts_by_job ON job_attempts (job);

-- One row: what daemons are to do.
CREATE TABLE queue_orders (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    paused INTEGER NOT NULL DEFAULT 0,
    stop   INTEGER NOT NULL DEFAULT 0,
    -- When `paused` was last changed.
    since  REAL NOT NULL DEFAULT 0
) STRICT;

INSERT INTO queue_orders (id) VALUES (1);

CREATE TABLE queue_daemons (
    id      INTEGER PRIMARY KEY,
    pid     INTEGER NOT NULL,
    threads INTEGER NOT NULL,
    -- Threads of a job that does not say how many.
    share   INTEGER NOT NULL,
    memory  INTEGER,
    started REAL NOT NULL,
    -- What follows was true then.
    seen    REAL NOT NULL,
    -- Seconds in which nothing ran.
    idle    REAL NOT NULL DEFAULT 0,
    -- Seconds in which a job could have been started and was not yet.
    missed  REAL NOT NULL DEFAULT 0
) STRICT;
