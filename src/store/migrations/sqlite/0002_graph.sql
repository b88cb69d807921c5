-- The inventory as one graph: words by which records of any source are found, as numbers
-- (headcount_core::graph), and what is remembered of records beyond their present observation.

-- What the source no longer says and the agent remembers, as JSON; NULL = nothing. It moves in
-- place. A latest use that `usage` tells as well is left out.
ALTER TABLE records ADD COLUMN history TEXT;
ALTER TABLE versions ADD COLUMN history TEXT;

-- The record's handle in its place.
ALTER TABLE records ADD COLUMN handle INTEGER;
CREATE INDEX records_by_handle ON records (handle) WHERE handle IS NOT NULL;

-- Only of records that link to others or can present themselves to others: a minority.
CREATE TABLE edges (
    key    INTEGER NOT NULL,
    -- 0: a link of the record looks for the key; 1: the record is found by it.
    side   INTEGER NOT NULL CHECK (side IN (0, 1)),
    record INTEGER NOT NULL,
    PRIMARY KEY (key, side, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_record ON edges (record);

-- The version of the keys above. Opening the file counts them anew when it is another one.
INSERT INTO counters (name, value) VALUES ('graph', 0);
