-- The findings that a sink knows as open: the last event of theirs that was queued for it did not
-- resolve them. What its filter would leave out is queued for it all the same as long as it does,
-- so that whoever was told of a finding is told how it ends.
CREATE TABLE told (
    sink    INTEGER NOT NULL REFERENCES sinks (number),
    finding TEXT NOT NULL,
    PRIMARY KEY (sink, finding)
) STRICT, WITHOUT ROWID;

INSERT INTO told (sink, finding)
    SELECT DISTINCT d.sink, d.finding FROM deliveries d JOIN findings f ON f.id = d.finding
    WHERE f.status <> 'resolved';
