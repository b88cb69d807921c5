-- The embedded store. Times are nanoseconds since 1970 in UTC (datetime(x / 1000000000,
-- 'unixepoch') shows one), JSON is text as serde writes it. No table holds a secret value.

-- "HCNT": how the agent tells its own file from another program's.
PRAGMA application_id = 1212370516;

-- Numbers that are never given twice, even when the rows that had them are gone.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('record', 0), ('event', 0);

CREATE TABLE sources (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    -- SourceState as JSON; NULL until a scan began.
    state  TEXT
) STRICT;

CREATE TABLE scopes (
    number INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources (number),
    place  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    -- ScopeState as JSON; NULL until a reading ended.
    state  TEXT,
    UNIQUE (source, place, kind)
) STRICT;

-- Present records: what is asked for, and what moves without a new version (use, owner, next
-- judgement). Narrow, so that those updates never rewrite a document.
CREATE TABLE records (
    number         INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    source         INTEGER NOT NULL REFERENCES sources (number),
    scope          INTEGER NOT NULL REFERENCES scopes (number),
    class          TEXT NOT NULL,
    kind           TEXT NOT NULL,
    name           TEXT NOT NULL,
    native         TEXT NOT NULL,
    -- Lower-case name, handle and id where they are not ASCII (LIKE folds only ASCII).
    folded         TEXT,
    parent         TEXT,
    status         TEXT NOT NULL,
    origin         TEXT NOT NULL,
    replaces       TEXT,
    first_seen     INTEGER NOT NULL,
    valid_from     INTEGER NOT NULL,
    usage          TEXT NOT NULL,
    owner          TEXT,
    -- Whether there is an owner; apart, so that counting reads an index alone.
    owned          INTEGER NOT NULL,
    -- When time alone can change a verdict; NULL = never.
    next_judgement INTEGER
) STRICT;
CREATE INDEX records_by_parent ON records (parent) WHERE parent IS NOT NULL;
CREATE INDEX records_by_judgement ON records (source, next_judgement)
    WHERE next_judgement IS NOT NULL;
CREATE INDEX records_by_count ON records (source, class, kind, status, owned);

-- The observation of a present record without its use.
CREATE TABLE documents (
    record INTEGER PRIMARY KEY,
    doc    TEXT NOT NULL
) STRICT;

-- What a reading is compared with, in the order in which it is compared.
CREATE TABLE fingerprints (
    scope       INTEGER NOT NULL,
    key         BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    usage       BLOB NOT NULL,
    record      INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

-- Versions that are over. A record's versions never overlap.
CREATE TABLE versions (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL,
    source     INTEGER NOT NULL REFERENCES sources (number),
    scope      INTEGER NOT NULL REFERENCES scopes (number),
    class      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    native     TEXT NOT NULL,
    folded     TEXT,
    origin     TEXT NOT NULL,
    replaces   TEXT,
    first_seen INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER NOT NULL,
    usage      TEXT NOT NULL,
    owner      TEXT,
    doc        TEXT NOT NULL
) STRICT;
CREATE INDEX versions_by_id ON versions (id, valid_from);
CREATE INDEX versions_by_name ON versions (scope, kind, name);

CREATE TABLE drift (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    source INTEGER NOT NULL REFERENCES sources (number),
    scan   TEXT NOT NULL,
    doc    TEXT NOT NULL
) STRICT;
CREATE INDEX drift_by_time ON drift (at);

CREATE TABLE findings (
    id        TEXT PRIMARY KEY,
    rule      TEXT NOT NULL,
    source    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    -- 0 = info … 4 = critical.
    severity  INTEGER NOT NULL,
    status    TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    doc       TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_subject ON findings (subject);
CREATE INDEX findings_by_rank ON findings (status, severity DESC, opened_at, id);
CREATE INDEX findings_by_count ON findings (rule, severity, source) WHERE status = 'open';

CREATE TABLE transitions (
    finding    TEXT NOT NULL REFERENCES findings (id),
    -- Counts the steps of one finding, from 1.
    number     INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    scan       TEXT NOT NULL,
    severity   INTEGER NOT NULL,
    title      TEXT NOT NULL,
    resolution TEXT,
    PRIMARY KEY (finding, number)
) STRICT, WITHOUT ROWID;

-- What left the agent or will, byte for byte. Rows may be pruned once every sink is done with
-- them; the sequence goes on, because it is counted in counters.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    finding  TEXT,
    time     INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;

CREATE TABLE sinks (
    number    INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    delivered INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One event's way to one sink:
--   pending   the first of its finding's line; due at next_attempt_at
--   waiting   behind an earlier event of the same finding
--   delivered, dead   settled at settled_at
CREATE TABLE deliveries (
    sink            INTEGER NOT NULL REFERENCES sinks (number),
    sequence        INTEGER NOT NULL REFERENCES events (sequence),
    finding         TEXT,
    state           TEXT NOT NULL CHECK (state IN ('pending', 'waiting', 'delivered', 'dead')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,
    settled_at      INTEGER,
    last_error      TEXT,
    PRIMARY KEY (sink, sequence),
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((state IN ('delivered', 'dead')) = (settled_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- Foreign keys look for children of an event that is pruned.
CREATE INDEX deliveries_by_event ON deliveries (sequence);
-- Carries all that polling reads, so that passing over what is not due costs little.
CREATE INDEX deliveries_unsettled
    ON deliveries (sink, sequence, state, next_attempt_at, attempts, settled_at)
    WHERE settled_at IS NULL;
CREATE INDEX deliveries_by_due ON deliveries (sink, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_line ON deliveries (sink, finding, sequence, settled_at)
    WHERE settled_at IS NULL AND finding IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (sink, settled_at) WHERE state = 'dead';

-- What connectors remember to save calls. May be lost.
CREATE TABLE caches (
    source TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (source, key)
) STRICT;
