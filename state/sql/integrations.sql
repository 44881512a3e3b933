-- Integrations, with the names of what they use.

-- add --
-- A new integration; nothing when the name is taken
INSERT INTO integrations
    (name, flow, field_mapping_id, salesforce_credential_id, m3ter_credential_id, enabled, live_at, connected_at)
VALUES ($1, $2, $3, $4, $5, $6,
    CASE WHEN $6 AND $4::uuid IS NOT NULL AND $5::uuid IS NOT NULL THEN now() END,
    CASE WHEN $4::uuid IS NOT NULL THEN now() END)
ON CONFLICT (name) DO NOTHING
RETURNING integration_id;

-- find --
-- By name or id, all when $1 is null; only the enabled ones when $2
SELECT i.integration_id, i.name, i.flow,
       i.field_mapping_id, f.name AS field_mapping_name, f.revision AS field_mapping_revision,
       i.salesforce_credential_id, s.name AS salesforce_credential_name,
       i.m3ter_credential_id, m.name AS m3ter_credential_name,
       coalesce(s.authorized_at IS NOT NULL AND s.error IS NULL
            AND m.authorized_at IS NOT NULL AND m.error IS NULL, false) AS authorized,
       i.enabled, i.created_at, i.updated_at
FROM integrations i
LEFT JOIN field_mappings f USING (field_mapping_id)
LEFT JOIN credentials s ON s.credential_id = i.salesforce_credential_id
LEFT JOIN credentials m ON m.credential_id = i.m3ter_credential_id
WHERE ($1::text IS NULL OR i.name = $1 OR i.integration_id::text = lower($1))
  AND (i.enabled OR NOT $2::boolean)
ORDER BY i.name = $1 DESC, i.name;

-- set_enabled --
-- Switch on or off; it goes live once only
UPDATE integrations SET
    enabled = $2,
    live_at = coalesce(live_at, CASE WHEN $2 AND salesforce_credential_id IS NOT NULL
        AND m3ter_credential_id IS NOT NULL THEN now() END),
    updated_at = now()
WHERE integration_id = $1;

-- connect --
-- Give it credentials; null keeps the one it has, and the same one is no new connecting to Salesforce
UPDATE integrations SET
    salesforce_credential_id = coalesce($2, salesforce_credential_id),
    m3ter_credential_id = coalesce($3, m3ter_credential_id),
    live_at = coalesce(live_at, CASE WHEN enabled AND coalesce($2, salesforce_credential_id) IS NOT NULL
        AND coalesce($3, m3ter_credential_id) IS NOT NULL THEN now() END),
    connected_at = CASE WHEN $2::uuid IS NULL OR $2 = salesforce_credential_id THEN connected_at ELSE now() END,
    updated_at = now()
WHERE integration_id = $1;

-- run_now --
-- An entity data sync that works with another credential: its next run is due at once
UPDATE entity_syncs SET scheduled_at = NULL WHERE integration_id = $1;

-- disconnect --
-- Take both credentials away and switch it off
UPDATE integrations SET
    salesforce_credential_id = NULL, m3ter_credential_id = NULL, enabled = false, updated_at = now()
WHERE integration_id = $1;

-- systems_of --
-- Which system each credential is for
SELECT credential_id, name, system FROM credentials WHERE credential_id = ANY($1::uuid[]);

-- remove --
-- Forget it, its inbox rows and its runs
DELETE FROM integrations WHERE integration_id = $1;

-- announce --
-- Whoever runs integrations looks again
SELECT pg_notify('m3sync_integrations', '');
