-- What the agent serves beside the inventory: who may ask, what was changed by whom, accepted
-- findings, and how population and coverage went over time.

-- Bearer tokens. Of the token itself only its SHA-256 is kept: 256 random bits need no salt.
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'auditor', 'operator')),
    hash       BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,
    -- To the hour: a write for each request would cost more than it tells.
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

-- What was denied, and every change, with who asked for it. Only ever added to.
CREATE TABLE audit (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    role    TEXT,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
    detail  TEXT
) STRICT;

-- Documented acceptances of findings; doc is the Exception as JSON.
CREATE TABLE exceptions (
    id         TEXT PRIMARY KEY,
    rule       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    doc        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX exceptions_by_end ON exceptions (expires_at) WHERE ended_at IS NULL;
-- Counts every change of an exception, so that a commit can tell that one came while it judged.
INSERT INTO counters (name, value) VALUES ('exceptions', 0);

-- The population after the last scan of each day, by source and class.
CREATE TABLE census (
    -- Days since 1970 in UTC.
    day       INTEGER NOT NULL,
    source    INTEGER NOT NULL REFERENCES sources (number),
    class     TEXT NOT NULL,
    at        INTEGER NOT NULL,
    records   INTEGER NOT NULL,
    ownerless INTEGER NOT NULL,
    stale     INTEGER NOT NULL,
    PRIMARY KEY (day, source, class)
) STRICT, WITHOUT ROWID;

-- How readings of a scope ended, one row for readings of one day that ended alike.
CREATE TABLE coverage (
    scope    INTEGER NOT NULL REFERENCES scopes (number),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    -- ScopeState as JSON, as the last of them left it.
    state    TEXT NOT NULL,
    PRIMARY KEY (scope, first_at)
) STRICT, WITHOUT ROWID;
-- Until a scope is read again, its present state is all that is known.
INSERT INTO coverage (scope, first_at, last_at, state)
    SELECT number, unixepoch(state ->> 'last_read_at') * 1000000000,
           unixepoch(state ->> 'last_read_at') * 1000000000, state
    FROM scopes WHERE state IS NOT NULL;

-- The last use in seconds since 1970; 0 = no use is known. Moves with usage.
ALTER TABLE records ADD COLUMN used INTEGER NOT NULL DEFAULT 0;
UPDATE records SET used = coalesce(unixepoch(usage ->> 'at'), 0);
-- Lists are read along these: the number makes each place in them unique, and the class is there
-- so that passing over other classes touches no row.
CREATE INDEX records_by_name ON records (name, number, class);
CREATE INDEX records_by_first_seen ON records (first_seen, number, class);
CREATE INDEX records_by_use ON records (used, number, class);

CREATE INDEX findings_by_page ON findings (severity DESC, opened_at, id, status);
CREATE INDEX findings_by_opened ON findings (opened_at, id, status);
