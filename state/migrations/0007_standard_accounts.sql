-- Which Salesforce Account each m3ter account is, as external mappings in m3ter say; and which records are known gone.

CREATE TABLE standard_accounts (
    m3ter_org_id text NOT NULL,
    m3ter_id text NOT NULL,
    salesforce_id text NOT NULL,                   -- 18 characters
    seen_at timestamptz NOT NULL,                  -- when m3ter last said so
    PRIMARY KEY (m3ter_org_id, m3ter_id, salesforce_id)
);

CREATE INDEX record_states_gone ON record_states (record_id) WHERE is_gone;
