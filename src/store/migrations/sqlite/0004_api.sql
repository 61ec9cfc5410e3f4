-- Who may ask: a token is known by its SHA-256, never by itself.
CREATE TABLE tokens (
    name         TEXT    PRIMARY KEY,
    digest       BLOB    NOT NULL UNIQUE,
    scopes       TEXT    NOT NULL,           -- words, divided by spaces
    created_us   INTEGER NOT NULL,
    expires_us   INTEGER,
    last_used_us INTEGER
) STRICT;

-- What people changed.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us       INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    by          TEXT,
    address     TEXT,
    what        TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    detail      TEXT    NOT NULL            -- JSON
) STRICT;
CREATE INDEX audit_by_age ON audit (at_us);

-- What was asked for and takes a while: triggered runs and deployments.
CREATE TABLE operations (
    id          TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,           -- run, deployment
    key         TEXT,                       -- idempotency
    created_us  INTEGER NOT NULL,
    body        TEXT    NOT NULL            -- JSON
) STRICT;
CREATE INDEX operations_by_key ON operations (kind, key) WHERE key IS NOT NULL;
CREATE INDEX operations_by_age ON operations (created_us);

-- Who asked for a run, and what for; empty for those that were due.
ALTER TABLE results ADD COLUMN triggered TEXT;
