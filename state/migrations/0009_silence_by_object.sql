-- Silence is judged for each object; and since when what is not heard yet was wanted, which later edits must not move.

CREATE TABLE object_checkpoints (                  -- up to when an integration knows of every change of an object
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    org_id text NOT NULL,
    transport text NOT NULL,
    object_name text NOT NULL,
    complete_until timestamptz NOT NULL,           -- by Salesforce's clock, as that of a channel
    unsure_from timestamptz,                       -- stamped from then on, and committed only after it was read again?
    PRIMARY KEY (integration_id, org_id, transport, object_name)
);

ALTER TABLE integrations
    ADD remapped_at timestamptz,                   -- the first change of its field mapping that no stream has gone by yet
    ADD connected_at timestamptz;                  -- when it was last given a Salesforce credential
UPDATE integrations SET connected_at = updated_at;
