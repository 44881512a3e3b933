-- Entity data syncs: what their integrations have besides.

-- add --
-- The settings of a new one
INSERT INTO entity_syncs (integration_id, entity_type, namespace, account_ids, restricted_account_ids,
    notification_users, custom_fields, schedule, on_deletion, on_leaving)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- edit --
-- Other settings; $11 by how much its revision grows
UPDATE entity_syncs SET entity_type = $2, namespace = $3, account_ids = $4, restricted_account_ids = $5,
    notification_users = $6, custom_fields = $7, schedule = $8, on_deletion = $9, on_leaving = $10,
    revision = revision + $11
WHERE integration_id = $1;

-- hold --
-- Nobody else edits it meanwhile
SELECT FROM entity_syncs WHERE integration_id = $1 FOR NO KEY UPDATE;

-- held --
-- As it stays to the end of the transaction; no row while somebody else changes it, who is not waited for
SELECT s.revision, i.enabled, i.salesforce_credential_id, i.m3ter_credential_id
FROM integrations i JOIN entity_syncs s USING (integration_id)
WHERE i.integration_id = $1
FOR NO KEY UPDATE OF s SKIP LOCKED
FOR SHARE OF i SKIP LOCKED;

-- find --
-- Of some integrations
SELECT integration_id, entity_type, namespace, account_ids, restricted_account_ids, notification_users,
    custom_fields, schedule, on_deletion, on_leaving, revision, scheduled_at, feed_at, feed_event_id,
    first_completed_at
FROM entity_syncs WHERE integration_id = ANY($1::uuid[]);

-- met --
-- A time of the schedule was met, unless another daemon met it
UPDATE entity_syncs SET scheduled_at = $2
WHERE integration_id = $1 AND (scheduled_at IS NULL OR scheduled_at < $2);

-- fed --
-- m3ter's events were read so far
UPDATE entity_syncs SET feed_at = $2, feed_event_id = $3 WHERE integration_id = $1;

-- refusal --
-- A credential of the integration that its system has refused for $2 and longer, in the system's words
SELECT c.name, c.system, c.error, h.instruction
FROM integrations i
JOIN credentials c ON c.credential_id IN (i.salesforce_credential_id, i.m3ter_credential_id)
JOIN health h ON h.subject = c.system || ':' || c.name
WHERE i.integration_id = $1 AND c.error IS NOT NULL AND NOT h.is_well AND h.since <= clock_timestamp() - $2::interval
ORDER BY h.since LIMIT 1;

-- keep_job --
-- Its Bulk job whose end was not seen yet, or none
UPDATE entity_syncs SET bulk_job_id = $2 WHERE integration_id = $1;

-- job --
-- That job
SELECT bulk_job_id FROM entity_syncs WHERE integration_id = $1;

-- scan_anew --
-- A run under way begins anew: its holder loses the lease.
UPDATE entity_runs SET cursor = NULL, is_scanned = false, lease_token = gen_random_uuid(), lease_until = now()
WHERE integration_id = $1 AND status = 'STARTED'
RETURNING run_id;

-- unsee --
-- What that run has met
DELETE FROM entity_seen WHERE run_id = $1;

-- forget_copies --
-- They are in another place
DELETE FROM entity_copies WHERE integration_id = $1;

-- begin_anew --
-- In the new place nothing was ever brought into step
UPDATE entity_syncs SET first_completed_at = NULL, feed_at = NULL, feed_event_id = NULL WHERE integration_id = $1;

-- orgs --
-- Which Salesforce org its copies are in, and which m3ter organization they are copies of
SELECT salesforce_org_id, m3ter_org_id FROM entity_syncs WHERE integration_id = $1;

-- belong --
-- They are from now on in $2, and copies of $3
UPDATE entity_syncs SET salesforce_org_id = $2, m3ter_org_id = $3 WHERE integration_id = $1;

-- leave --
-- What was begun in the former org is nothing to the other one; whoever works with what was there begins anew
UPDATE entity_syncs SET bulk_job_id = NULL, revision = revision + 1 WHERE integration_id = $1;

-- announce --
-- Whoever runs integrations looks again
SELECT pg_notify('m3sync_integrations', '');
