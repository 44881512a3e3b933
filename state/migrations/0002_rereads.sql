-- What is read again: windows in which changes may have been missed, and up to when every change is known.

-- Of a refused place or a first start: there is none, new events only, and a window is read again instead.
ALTER TABLE checkpoints ADD complete_until timestamptz;  -- by Salesforce's clock: what was committed before it is in the
                                                         -- inbox, or inside a recorded window
UPDATE checkpoints SET complete_until = greatest(since, event_at);
-- What was told as missing on a channel, for a person to sync by hand, is read again: since going live.
UPDATE checkpoints k SET replay_id = '-1', complete_until = k.since
FROM integrations i, health h
WHERE i.integration_id = k.integration_id AND NOT h.is_well AND h.subject = 'window:' || i.name || ':' || k.channel;
DELETE FROM health WHERE subject LIKE 'window:%';
UPDATE checkpoints SET replay_id = '-1' WHERE replay_id = '-2';
ALTER TABLE checkpoints ALTER complete_until SET NOT NULL, ALTER replay_id SET DEFAULT '-1', DROP left_out;

CREATE TABLE rereads (                             -- a window of one object, and how far it was read again
    reread_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    org_id text NOT NULL,
    object_name text NOT NULL,
    channel text NOT NULL DEFAULT '',              -- on which something may have been missed; '' when a person asked
    cause text NOT NULL CHECK (cause IN ('first start', 'replay refused', 'overflow', 'gap', 'undecodable', 'silent',
        'initial', 'instant', 'by hand')),
    detail text NOT NULL DEFAULT '',               -- what happened, in a sentence
    from_at timestamptz,                           -- by Salesforce's clock; null: from the beginning
    until_at timestamptz,                          -- null: until it is begun
    checks_missing boolean NOT NULL DEFAULT false, -- whether known records are looked up that Salesforce has no more
    status text NOT NULL DEFAULT 'WAITING' CHECK (status IN ('WAITING', 'READING', 'READ')),
    phase text NOT NULL DEFAULT 'changes' CHECK (phase IN ('changes', 'missing')),
    cursor_at timestamptz,                         -- the last record read in this phase
    cursor_id text NOT NULL DEFAULT '',
    records_read bigint NOT NULL DEFAULT 0,
    records_put bigint NOT NULL DEFAULT 0,         -- into the inbox, lines as their parents
    total bigint,                                  -- how many there are to read, as counted when it was begun
    attempts integer NOT NULL DEFAULT 0,           -- without headway
    error text,                                    -- the system's own words when it last failed
    instruction text NOT NULL DEFAULT '',
    due_at timestamptz NOT NULL DEFAULT now(),
    lease_token uuid,
    lease_until timestamptz,
    opened_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    CHECK ((status = 'READING') = (lease_token IS NOT NULL)),
    CHECK ((status = 'READ') = (finished_at IS NOT NULL))
);
CREATE INDEX rereads_open ON rereads (integration_id, org_id, opened_at) WHERE status <> 'READ';
CREATE INDEX rereads_latest ON rereads (integration_id, opened_at DESC);
CREATE INDEX rereads_finished ON rereads (finished_at) WHERE status = 'READ';

CREATE TABLE reread_differences (                  -- records whose sync, caused by it, wrote something or failed
    reread_id uuid NOT NULL REFERENCES rereads ON DELETE CASCADE,
    record_id text NOT NULL,
    PRIMARY KEY (reread_id, record_id)
);
CREATE INDEX reread_differences_record ON reread_differences (record_id);

-- Which re-read put a row there, and which the wish heard while it is claimed. Neither refers: a re-read is forgotten
-- without asking the inbox.
ALTER TABLE inbox ADD reread_id uuid, ADD next_reread_id uuid,
    ALTER next_priority DROP DEFAULT, ALTER next_priority DROP NOT NULL;
UPDATE inbox SET next_priority = NULL WHERE next_cause IS NULL;
ALTER TABLE inbox ADD CHECK ((next_cause IS NULL) = (next_priority IS NULL));
CREATE INDEX inbox_reread ON inbox (reread_id) WHERE reread_id IS NOT NULL;
ALTER TABLE runs ADD reread_id uuid;

ALTER TABLE totals DROP CONSTRAINT totals_kind_check,
    ADD CONSTRAINT totals_kind_check CHECK (kind IN ('run', 'object', 'window', 'reread'));

-- Of two causes of one row the one that says more: a person's wish outlives all that is heard before it is fulfilled,
-- and a change that was heard outlives a re-read.
CREATE FUNCTION weightier_cause(one text, other text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN other IS NULL OR array_position(ARRAY['initial', 'reread', 'change', 'manual'], one)
            >= array_position(ARRAY['initial', 'reread', 'change', 'manual'], other) THEN one
        ELSE other END
$$;
