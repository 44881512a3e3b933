-- The echo guard and the loop brake: what m3sync is about to write to Salesforce, and records that ping-pong.

CREATE TABLE own_writes (                          -- each is expected to come back as one change event
    own_write_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- in the order of the writes
    org_id text NOT NULL,
    object_name text NOT NULL,
    record_id text NOT NULL DEFAULT '',            -- 18 characters; '' for a create: nobody knows it yet
    key text NOT NULL DEFAULT '',                  -- a create's: the hash of the field that tells whose event it is
    change_type text NOT NULL CHECK (change_type IN ('CREATE', 'UPDATE', 'DELETE', 'UNDELETE')),
    fields jsonb NOT NULL DEFAULT '{}',            -- field name in lower case -> hash of what was written
    expected_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    spent_at timestamptz,                          -- single use: an event matched it, or contradicted it
    spent_by text NOT NULL DEFAULT '',             -- that event's transaction key: other integrations hear it too
    was_echo boolean NOT NULL DEFAULT false,
    CHECK ((change_type = 'CREATE') = (record_id = '') AND (change_type = 'CREATE') = (key <> ''))
);
CREATE INDEX own_writes_record ON own_writes (record_id, own_write_id) WHERE record_id <> '';
CREATE INDEX own_writes_key ON own_writes (key) WHERE key <> '';
CREATE INDEX own_writes_expires ON own_writes (expires_at);

ALTER TABLE change_events                          -- what the event was taken for; '' is somebody else's
    ADD COLUMN own_write text NOT NULL DEFAULT '' CHECK (own_write IN ('', 'echo', 'near miss'));

CREATE TABLE brakes (                              -- records that ping-pong, and until when they are left alone
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    record_id text NOT NULL,
    braked_at timestamptz NOT NULL DEFAULT now(),
    until_at timestamptz NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (integration_id, record_id)
);

ALTER TABLE totals DROP CONSTRAINT totals_kind_check;
ALTER TABLE totals ADD CONSTRAINT totals_kind_check CHECK (kind IN ('run', 'object', 'window', 'reread', 'echo'));
