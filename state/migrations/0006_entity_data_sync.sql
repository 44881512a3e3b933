-- The entity data sync: which m3ter entities are to be in Salesforce, how far a run has got, and each copy there.

ALTER TABLE integrations DROP CONSTRAINT integrations_flow_check,
    ADD CONSTRAINT integrations_flow_check
        CHECK (flow IN ('Account Sync', 'Sales Agreement Sync', 'Entity Data Sync')),
    ALTER field_mapping_id DROP NOT NULL,
    ADD CONSTRAINT integrations_field_mapping_check
        CHECK ((flow = 'Entity Data Sync') = (field_mapping_id IS NULL));

CREATE TABLE entity_syncs (                        -- what an integration of that flow has besides
    integration_id uuid PRIMARY KEY REFERENCES integrations ON DELETE CASCADE,
    entity_type text NOT NULL CHECK (entity_type IN ('Account', 'Bill', 'Contract', 'Commitment', 'Balance')),
    namespace text NOT NULL
        CHECK (namespace IN ('m3ter Connector', 'm3ter Connector (Testing)', 'Custom Objects')),
    account_ids text[] NOT NULL DEFAULT '{}',      -- m3ter ids; none is all
    restricted_account_ids text[] NOT NULL DEFAULT '{}',
    notification_users text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',     -- m3ter custom field -> Salesforce field
    schedule text NOT NULL,
    on_deletion text NOT NULL CHECK (on_deletion IN ('mark', 'delete', 'keep')),
    on_leaving text NOT NULL CHECK (on_leaving IN ('mark', 'delete', 'keep')),
    revision integer NOT NULL DEFAULT 1,           -- grows with every change of what is written
    scheduled_at timestamptz,                      -- the last time of the schedule that was met
    feed_at timestamptz,                           -- up to when m3ter's events were read
    feed_event_id text,
    salesforce_org_id text,                        -- where its copies are; null: nowhere yet
    m3ter_org_id text,                             -- and what they are copies of
    bulk_job_id text,                              -- a job whose end was not seen: ended before anything is written
    first_completed_at timestamptz                 -- the end of the first whole run
);

CREATE TABLE entity_runs (
    run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    cause text NOT NULL CHECK (cause IN ('schedule', 'manual', 'retry', 'feed', 'first')),
    status text NOT NULL DEFAULT 'WAITING' CHECK (status IN ('WAITING', 'STARTED', 'COMPLETE', 'ERROR',
        'AWAITING_RETRY', 'AUTH_FAILED', 'DISABLED', 'TIMEOUT_LIMIT_EXCEEDED', 'RATE_LIMIT_RETRY')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    cursor text,                                   -- where the scan goes on; null: at the beginning
    is_scanned boolean NOT NULL DEFAULT false,     -- read to its end; what waits is still written
    pages bigint NOT NULL DEFAULT 0,
    entities_read bigint NOT NULL DEFAULT 0,
    differing bigint NOT NULL DEFAULT 0,
    written bigint NOT NULL DEFAULT 0,
    created bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    marked bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    calls jsonb NOT NULL DEFAULT '{}',             -- kind of call -> how many
    error text NOT NULL DEFAULT '',
    instruction text NOT NULL DEFAULT '',
    lease_token uuid,                              -- the fence: only its holder may write
    lease_until timestamptz,
    claimed_by text,
    CHECK ((status = 'STARTED') = (lease_token IS NOT NULL)),
    CHECK ((lease_token IS NULL) = (lease_until IS NULL))
) WITH (fillfactor = 50);                          -- its counts change with every page
CREATE UNIQUE INDEX entity_runs_waiting ON entity_runs (integration_id) WHERE status = 'WAITING';
CREATE UNIQUE INDEX entity_runs_started ON entity_runs (integration_id) WHERE status = 'STARTED';
CREATE INDEX entity_runs_latest ON entity_runs (integration_id, requested_at DESC);
CREATE INDEX entity_runs_completed ON entity_runs (completed_at) WHERE completed_at IS NOT NULL;

CREATE TABLE entity_copies (                       -- the Salesforce record of one m3ter entity, as last written
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    m3ter_id text NOT NULL,
    account_id text NOT NULL,                      -- the m3ter account that it concerns; '' is not known
    version bigint NOT NULL,                       -- the entity's, as last mapped
    mapped_with text NOT NULL,                     -- fingerprint of the mapping; '' is to be mapped anew
    digest text NOT NULL,                          -- of what is wanted in Salesforce; 'mark' and 'delete' for these
    written_digest text,                           -- of what was last written; null: nothing, or it was marked
    salesforce_id text,
    status text NOT NULL CHECK (status IN ('WAITING', 'WRITTEN', 'REFUSED')),
    action text NOT NULL CHECK (action IN ('upsert', 'mark', 'delete')),
    payload jsonb,                                 -- the record to be written, until it is
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    error text,                                    -- Salesforce's own words when it last did not take it
    error_code text NOT NULL DEFAULT '',
    error_fields text[] NOT NULL DEFAULT '{}',
    is_orphan boolean NOT NULL DEFAULT false,      -- it last lacked its parent's record
    changed_at timestamptz NOT NULL DEFAULT now(), -- when it was found to differ
    written_at timestamptz,
    PRIMARY KEY (integration_id, m3ter_id),
    CHECK (status <> 'WRITTEN' OR payload IS NULL),
    CHECK (status <> 'REFUSED' OR error IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX entity_copies_waiting ON entity_copies (integration_id, due_at, m3ter_id) WHERE status = 'WAITING';
CREATE INDEX entity_copies_unplaced ON entity_copies (integration_id, m3ter_id)   -- to be removed, no record known
    WHERE status = 'WAITING' AND action <> 'upsert' AND salesforce_id IS NULL;
CREATE INDEX entity_copies_issues ON entity_copies (integration_id, changed_at DESC) WHERE error IS NOT NULL;
CREATE INDEX entity_copies_m3ter ON entity_copies (m3ter_id);
CREATE INDEX entity_copies_salesforce ON entity_copies (salesforce_id) WHERE salesforce_id IS NOT NULL;

CREATE TABLE entity_seen (                         -- what the scan under way has met; forgotten with its end
    run_id uuid NOT NULL REFERENCES entity_runs ON DELETE CASCADE,
    m3ter_id text NOT NULL,
    PRIMARY KEY (run_id, m3ter_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

ALTER TABLE totals DROP CONSTRAINT totals_kind_check;
ALTER TABLE totals ADD CONSTRAINT totals_kind_check
    CHECK (kind IN ('run', 'object', 'window', 'reread', 'echo', 'entity', 'entity call'));
