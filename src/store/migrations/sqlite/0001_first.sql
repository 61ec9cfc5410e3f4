-- Times are microseconds since the Unix epoch. JSON columns hold what nobody filters by.

CREATE TABLE results (
    id          INTEGER PRIMARY KEY,
    check_id    TEXT    NOT NULL,
    run_id      TEXT    NOT NULL,
    started_us  INTEGER NOT NULL,
    took_us     INTEGER NOT NULL,
    level       TEXT    NOT NULL,           -- ok, warning, unknown, critical, or late: not run
    headline    TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    measured    TEXT    NOT NULL,           -- JSON: name -> { value, unit }
    detail      TEXT                        -- JSON: outcome and verdict, unless all was well
) STRICT;
CREATE INDEX results_by_check ON results (check_id, started_us);
CREATE INDEX results_by_age ON results (started_us);

CREATE TABLE states (
    check_id    TEXT    PRIMARY KEY,
    state       TEXT    NOT NULL,
    updated_us  INTEGER NOT NULL
) STRICT;

CREATE TABLE incidents (
    id          TEXT    PRIMARY KEY,
    check_id    TEXT    NOT NULL,
    level       TEXT    NOT NULL,
    opened_us   INTEGER NOT NULL,
    resolved_us INTEGER,
    incident    TEXT    NOT NULL            -- JSON, with the ledger of who has heard
) STRICT;
CREATE INDEX incidents_open ON incidents (resolved_us) WHERE resolved_us IS NULL;
CREATE INDEX incidents_by_age ON incidents (opened_us);

CREATE TABLE transitions (
    id          INTEGER PRIMARY KEY,
    incident_id TEXT    NOT NULL,
    at_us       INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    transition  TEXT    NOT NULL,           -- JSON
    silence     TEXT                        -- why nobody was told
) STRICT;
CREATE INDEX transitions_by_incident ON transitions (incident_id);

CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY,
    key         TEXT    NOT NULL UNIQUE,
    channel     TEXT    NOT NULL,
    route       TEXT    NOT NULL,
    group_key   TEXT    NOT NULL,
    status      TEXT    NOT NULL,           -- waiting, claimed, sent, dead, dropped
    due_us      INTEGER NOT NULL,
    lease_us    INTEGER,                    -- until when a sender has it
    created_us  INTEGER NOT NULL,
    settled_us  INTEGER,
    attempts    INTEGER NOT NULL,
    last_error  TEXT
) STRICT;
CREATE INDEX deliveries_owed ON deliveries (channel, due_us) WHERE status IN ('waiting', 'claimed');
CREATE INDEX deliveries_by_age ON deliveries (created_us);

CREATE TABLE notices (
    id           INTEGER PRIMARY KEY,
    delivery_seq INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    incident_id  TEXT    NOT NULL,
    notice       TEXT    NOT NULL           -- JSON
) STRICT;
CREATE INDEX notices_by_delivery ON notices (delivery_seq);
CREATE INDEX notices_by_incident ON notices (incident_id);

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY,
    delivery_seq INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    at_us        INTEGER NOT NULL,
    result       TEXT    NOT NULL,          -- sent, retry, dead
    said         TEXT    NOT NULL
) STRICT;
CREATE INDEX attempts_by_delivery ON attempts (delivery_seq);
