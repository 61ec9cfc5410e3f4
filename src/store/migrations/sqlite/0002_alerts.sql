-- How its news is put together: changes, digest, storm, storm_end; and whether the fallback was told.
ALTER TABLE deliveries ADD COLUMN form TEXT NOT NULL DEFAULT 'changes';
ALTER TABLE deliveries ADD COLUMN fell_back INTEGER NOT NULL DEFAULT 0;

-- Whether it was left out when its delivery was sent: there was nothing to say any more.
ALTER TABLE notices ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;

-- Silences and deployments.
CREATE TABLE quiets (
    id          TEXT    PRIMARY KEY,
    ends_us     INTEGER NOT NULL,
    quiet       TEXT    NOT NULL            -- JSON
) STRICT;
CREATE INDEX quiets_by_end ON quiets (ends_us);

-- What else happened to incidents.
CREATE TABLE timeline (
    id          INTEGER PRIMARY KEY,
    incident_id TEXT    NOT NULL,
    at_us       INTEGER NOT NULL,
    entry       TEXT    NOT NULL            -- JSON
) STRICT;
CREATE INDEX timeline_by_incident ON timeline (incident_id);
CREATE INDEX timeline_by_age ON timeline (at_us);

-- What a channel must remember between messages, such as where a thread began.
CREATE TABLE receipts (
    channel     TEXT    NOT NULL,
    topic       TEXT    NOT NULL,           -- an incident, or a part of a delivery
    receipt     TEXT    NOT NULL,           -- JSON
    updated_us  INTEGER NOT NULL,
    PRIMARY KEY (channel, topic)
) STRICT;
CREATE INDEX receipts_by_age ON receipts (updated_us);
