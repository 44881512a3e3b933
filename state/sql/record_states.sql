-- What is remembered of a record between syncs.

-- get --
-- Of one record of one integration
SELECT integration_id, record_id, criterion_held, sync_status, last_run_id, first_synced_at, last_synced_at,
    org_id, is_gone
FROM record_states WHERE integration_id = $1 AND record_id = $2;

-- known_among --
-- Of these records, those that were looked at before
SELECT record_id FROM record_states WHERE integration_id = $1 AND record_id = ANY($2::text[]);

-- ids_after --
-- The next in the order of their ids of all that the org $2 had when they were last looked at
SELECT record_id FROM record_states
WHERE integration_id = $1 AND record_id > $3 AND org_id IN ($2, '') AND NOT is_gone
ORDER BY record_id LIMIT $4;

-- put --
-- Null keeps what is known; first_synced_at is set once
INSERT INTO record_states
    (integration_id, record_id, criterion_held, sync_status, last_run_id, first_synced_at, last_synced_at, org_id, is_gone)
VALUES ($1, $2, $3, $4, $5, coalesce($6::timestamptz, $7::timestamptz), $7, $8, $9)
ON CONFLICT (integration_id, record_id) DO UPDATE SET
    criterion_held = excluded.criterion_held,
    sync_status = coalesce(excluded.sync_status, record_states.sync_status),
    last_run_id = coalesce(excluded.last_run_id, record_states.last_run_id),
    first_synced_at = coalesce(record_states.first_synced_at, excluded.first_synced_at),
    last_synced_at = coalesce(excluded.last_synced_at, record_states.last_synced_at),
    org_id = coalesce(nullif(excluded.org_id, ''), record_states.org_id),
    is_gone = excluded.is_gone,
    updated_at = now();
