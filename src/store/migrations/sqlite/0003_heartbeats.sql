-- What jobs have told of themselves. A job is known by its token's digest, never by the token.
CREATE TABLE heartbeats (
    job         TEXT    PRIMARY KEY,
    pings       TEXT    NOT NULL,           -- JSON
    updated_us  INTEGER NOT NULL
) STRICT;
