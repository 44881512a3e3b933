-- What the sync from Salesforce to m3ter needs: configuration, checkpoints, inbox, mappings, runs.

CREATE TABLE credentials (
    credential_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (name <> ''),
    system text NOT NULL CHECK (system IN ('salesforce', 'm3ter')),
    summary jsonb NOT NULL DEFAULT '{}',           -- what may be shown: url, org id, user name, OAuth flow
    sealed bytea NOT NULL,                         -- the whole credential, encrypted by the vault
    authorized_at timestamptz,                     -- last time the system accepted it
    error text,                                    -- the system's own words when it last refused it
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE field_mappings (
    field_mapping_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (name <> ''),
    document text NOT NULL,                        -- the TOML text as written
    sha256 text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE integrations (
    integration_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (name <> ''),
    flow text NOT NULL CHECK (flow IN ('Account Sync', 'Sales Agreement Sync')),
    field_mapping_id uuid NOT NULL REFERENCES field_mappings,
    salesforce_credential_id uuid REFERENCES credentials,
    m3ter_credential_id uuid REFERENCES credentials,
    enabled boolean NOT NULL DEFAULT false,
    live_at timestamptz,                           -- first enabled and connected: earlier changes are not its own
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE checkpoints (                         -- each integration has its own: another one's moves tell nothing
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    org_id text NOT NULL,                          -- Salesforce organization id, 18 characters
    transport text NOT NULL,                       -- 'cometd'; a replay id means nothing on another transport
    channel text NOT NULL,
    replay_id text NOT NULL DEFAULT '-2',          -- opaque; -2: all that is retained
    since timestamptz NOT NULL,                    -- by Salesforce's clock: what was committed before is left out
    left_out bigint NOT NULL DEFAULT 0,            -- events that were
    event_at timestamptz,                          -- commit time of the event at the checkpoint
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (integration_id, org_id, transport, channel)
);

CREATE TABLE change_events (                       -- what was heard, for explain; never the data itself
    change_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id text NOT NULL,
    channel text NOT NULL,
    replay_id text NOT NULL,
    object_name text NOT NULL,
    record_id text NOT NULL,
    change_type text NOT NULL,
    changed_fields text[] NOT NULL DEFAULT '{}',
    change_origin text NOT NULL DEFAULT '',
    commit_user text NOT NULL DEFAULT '',
    transaction_key text NOT NULL DEFAULT '',
    committed_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    heard_for uuid[] NOT NULL DEFAULT '{}',        -- integrations whose inbox was told of it
    -- a replay id may be given out again after an org was moved or refreshed; its transaction key differs then
    UNIQUE (org_id, channel, replay_id, record_id, transaction_key)
);
CREATE INDEX change_events_record ON change_events (record_id, change_event_id DESC);
CREATE INDEX change_events_received ON change_events (received_at);

CREATE TABLE inbox (
    inbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    object_name text NOT NULL,
    record_id text NOT NULL,                       -- 18 characters
    cause text NOT NULL CHECK (cause IN ('change', 'manual', 'reread', 'initial')),
    priority smallint NOT NULL DEFAULT 0,          -- higher first
    revision bigint NOT NULL DEFAULT 1,            -- grows with every change heard; completion checks it
    status text NOT NULL DEFAULT 'WAITING' CHECK (status IN ('WAITING', 'CLAIMED', 'SET_ASIDE')),
    first_changed_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    rechanged_at timestamptz,                      -- oldest change heard while claimed, first of the next sync
    next_cause text CHECK (next_cause IN ('change', 'manual', 'reread', 'initial')),  -- its cause
    next_priority smallint NOT NULL DEFAULT 0,     -- and its priority
    due_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,                        -- not tried again before: an unanswered call may take effect
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,                              -- the fence: only its holder may write or complete
    lease_until timestamptz,
    claimed_by text,
    error text,
    UNIQUE (integration_id, record_id),
    CHECK ((status = 'CLAIMED') = (lease_token IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);  -- rows come and go
CREATE INDEX inbox_due ON inbox (priority DESC, due_at, first_changed_at, inbox_id) WHERE status = 'WAITING';
CREATE INDEX inbox_leases ON inbox (lease_until) WHERE status = 'CLAIMED';
CREATE INDEX inbox_record ON inbox (record_id);

CREATE TABLE leases (                              -- what is in flight: one record, and records of one m3ter
    lease_key text PRIMARY KEY,                    -- account, never twice; 'record:<id>' or an account's key
    lease_token uuid NOT NULL,                     -- the claim that holds it
    lease_until timestamptz NOT NULL
);
CREATE INDEX leases_token ON leases (lease_token);

CREATE TABLE record_parents (                      -- which record a line belonged to when last read: each
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,  -- integration by its own parent field
    record_id text NOT NULL,
    parent_id text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (integration_id, record_id)
);
CREATE INDEX record_parents_parent ON record_parents (parent_id, record_id);
CREATE INDEX record_parents_record ON record_parents (record_id);

CREATE TABLE record_states (                       -- what is remembered of a record between syncs
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    record_id text NOT NULL,
    criterion_held boolean NOT NULL,
    sync_status text CHECK (sync_status IN ('Completed', 'Partial Success', 'Failed')),
    last_run_id uuid,
    first_synced_at timestamptz,
    last_synced_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (integration_id, record_id)
);
CREATE INDEX record_states_first ON record_states (integration_id, first_synced_at) WHERE first_synced_at IS NOT NULL;
CREATE INDEX record_states_last ON record_states (integration_id, last_synced_at) WHERE last_synced_at IS NOT NULL;
CREATE INDEX record_states_issues ON record_states (integration_id, updated_at DESC)
    WHERE sync_status IN ('Partial Success', 'Failed');

CREATE TABLE external_mappings (
    m3ter_org_id text NOT NULL,
    m3ter_entity text NOT NULL,                    -- 'Account', 'Contract', 'Commitment', 'Plan', 'Pricing', 'AccountPlan'
    external_table text NOT NULL,                  -- Salesforce object name
    external_id text NOT NULL,                     -- Salesforce record id, 18 characters
    m3ter_id text NOT NULL,
    external_mapping_id text,                      -- id of m3ter's own ExternalMapping, once written there
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (m3ter_org_id, m3ter_entity, external_table, external_id)
);
CREATE INDEX external_mappings_record ON external_mappings (external_id);
CREATE INDEX external_mappings_m3ter ON external_mappings (m3ter_org_id, m3ter_entity, m3ter_id);

CREATE TABLE intents (                             -- a create that was about to be sent (law 3)
    intent_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    m3ter_org_id text NOT NULL,
    m3ter_entity text NOT NULL,
    external_table text NOT NULL,
    external_id text NOT NULL,
    body text NOT NULL,                            -- JSON text as last about to be sent, decimals exact
    earlier_bodies text[] NOT NULL DEFAULT '{}',   -- other bodies that attempts of the same create may have sent
    status text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'DONE', 'REFUSED')),
    m3ter_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz
);
CREATE UNIQUE INDEX intents_open ON intents (m3ter_org_id, m3ter_entity, external_table, external_id)
    WHERE status = 'OPEN';
CREATE INDEX intents_open_record ON intents (external_id) WHERE status = 'OPEN';

CREATE TABLE runs (
    run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    object_name text NOT NULL,
    record_id text NOT NULL,
    cause text NOT NULL,
    attempt integer NOT NULL,
    status text NOT NULL CHECK (status IN ('WAITING', 'STARTED', 'COMPLETE', 'ERROR', 'AWAITING_RETRY',
        'AUTH_FAILED', 'DISABLED', 'TIMEOUT_LIMIT_EXCEEDED', 'RATE_LIMIT_RETRY')),
    sync_status text CHECK (sync_status IN ('Completed', 'Partial Success', 'Failed')),
    success boolean,
    message text NOT NULL DEFAULT '',
    instruction text NOT NULL DEFAULT '',
    changed_at timestamptz,                        -- when the record's oldest unsynced change was heard
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    next_attempt_at timestamptz
);
CREATE INDEX runs_latest ON runs (started_at DESC, run_id);
CREATE INDEX runs_record ON runs (record_id, started_at DESC);
CREATE INDEX runs_integration ON runs (integration_id, started_at DESC);
CREATE INDEX runs_started ON runs (integration_id, record_id) WHERE status = 'STARTED';

CREATE TABLE run_objects (
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    position integer NOT NULL,
    object_name text NOT NULL,
    salesforce_id text NOT NULL,
    m3ter_id text,
    action text NOT NULL CHECK (action IN ('created', 'updated', 'unchanged', 'adopted', 'flagged', 'not attempted', 'failed')),
    success boolean NOT NULL,
    message text NOT NULL,
    changes jsonb NOT NULL DEFAULT '{}',           -- field -> [before, after]
    PRIMARY KEY (run_id, position)
);

CREATE INDEX run_objects_record ON run_objects (salesforce_id);

CREATE TABLE run_log (
    run_id uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    line integer NOT NULL,
    logged_at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('call', 'note')),
    detail jsonb NOT NULL,                         -- call: system, method, path, status, milliseconds, error
    PRIMARY KEY (run_id, line)
);

CREATE TABLE totals (                              -- counters that outlive restarts and the pruning of runs
    integration_id uuid NOT NULL REFERENCES integrations ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('run', 'object')),
    label text NOT NULL,                           -- the run's status, or what was done for an object
    total bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (integration_id, kind, label)
);

CREATE TABLE health (                              -- what each part last said of itself
    subject text PRIMARY KEY,                      -- 'salesforce:<credential name>', 'm3ter:<name>', 'stream:<name>', 'worker'
    is_well boolean NOT NULL,
    message text NOT NULL DEFAULT '',
    instruction text NOT NULL DEFAULT '',
    since timestamptz NOT NULL DEFAULT now(),      -- when is_well last changed
    reported_at timestamptz NOT NULL DEFAULT now()
);
