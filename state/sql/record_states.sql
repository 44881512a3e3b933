-- What is remembered of a record between syncs.

-- get --
-- Of one record of one integration
SELECT integration_id, record_id, criterion_held, sync_status, last_run_id, first_synced_at, last_synced_at
FROM record_states WHERE integration_id = $1 AND record_id = $2;

-- known_among --
-- Of these records, those that were looked at before
SELECT record_id FROM record_states WHERE integration_id = $1 AND record_id = ANY($2::text[]);

-- ids_after --
-- The next of all in the order of their ids
SELECT record_id FROM record_states WHERE integration_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3;

-- put --
-- Null keeps what is known; first_synced_at is set once
INSERT INTO record_states
    (integration_id, record_id, criterion_held, sync_status, last_run_id, first_synced_at, last_synced_at)
VALUES ($1, $2, $3, $4, $5, coalesce($6::timestamptz, $7::timestamptz), $7)
ON CONFLICT (integration_id, record_id) DO UPDATE SET
    criterion_held = excluded.criterion_held,
    sync_status = coalesce(excluded.sync_status, record_states.sync_status),
    last_run_id = coalesce(excluded.last_run_id, record_states.last_run_id),
    first_synced_at = coalesce(record_states.first_synced_at, excluded.first_synced_at),
    last_synced_at = coalesce(excluded.last_synced_at, record_states.last_synced_at),
    updated_at = now();
