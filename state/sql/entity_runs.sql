-- Runs of entity data syncs: asked for, claimed under a lease, counted, ended.

-- ask --
-- One waits for each integration; a person's wish outranks the schedule, and a scan what goes without one
INSERT INTO entity_runs AS r (integration_id, cause) VALUES ($1, $2)
ON CONFLICT (integration_id) WHERE status = 'WAITING'
DO UPDATE SET cause = CASE
    WHEN excluded.cause = 'manual' OR r.cause IN ('retry', 'feed') THEN excluded.cause ELSE r.cause END
RETURNING run_id;

-- announce --
-- Wake who runs entity data syncs when this commits
SELECT pg_notify('m3sync_entity_runs', '');

-- claim --
-- Take the one under way whose holder let its lease expire, or the waiting one when none is under way. $2 who, $3 lease
UPDATE entity_runs r SET status = 'STARTED', started_at = coalesce(r.started_at, now()), claimed_by = $2,
    lease_token = gen_random_uuid(), lease_until = now() + $3::interval
FROM (
    SELECT run_id FROM entity_runs
    WHERE integration_id = $1 AND (
        (status = 'STARTED' AND lease_until <= now())
        OR (status = 'WAITING' AND NOT EXISTS (
            SELECT FROM entity_runs o WHERE o.integration_id = $1 AND o.status = 'STARTED')))
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
) AS foremost
WHERE r.run_id = foremost.run_id
RETURNING r.run_id, integration_id, cause, lease_token, cursor, is_scanned;

-- renew --
-- Prolong the lease by $3, which did not run out
UPDATE entity_runs SET lease_until = clock_timestamp() + $3::interval
WHERE run_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp();

-- check --
-- Whose it is just now
SELECT true FROM entity_runs WHERE run_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp();

-- fence --
-- Held to the end of the transaction, so that what one holder writes is never mixed with another's
SELECT true FROM entity_runs
WHERE run_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp()
FOR NO KEY UPDATE;

-- add --
-- Headway, which prolongs the lease by $3. $4 cursor or null, $5 calls, then the counts
UPDATE entity_runs r SET
    lease_until = clock_timestamp() + $3::interval,
    cursor = coalesce($4, cursor),
    calls = CASE WHEN $5::jsonb = '{}' THEN r.calls ELSE (
        SELECT jsonb_object_agg(kind, total) FROM (
            SELECT kind, sum(number::bigint) AS total FROM (
                SELECT * FROM jsonb_each_text(r.calls) UNION ALL SELECT * FROM jsonb_each_text($5::jsonb)
            ) AS c (kind, number) GROUP BY kind) AS summed) END,
    pages = pages + $6, entities_read = entities_read + $7, differing = differing + $8, written = written + $9,
    created = created + $10, refused = refused + $11, marked = marked + $12, deleted = deleted + $13,
    unchanged = unchanged + $14
WHERE run_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp();

-- scanned --
-- All pages are read
UPDATE entity_runs SET is_scanned = true, cursor = NULL
WHERE run_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp();

-- begin_anew --
-- It reads from the first page, under the lease that it has
UPDATE entity_runs SET cursor = NULL, is_scanned = false WHERE run_id = $1;

-- release --
-- Whoever claims next takes it at once
UPDATE entity_runs SET lease_until = now() WHERE run_id = $1 AND lease_token = $2 AND status = 'STARTED';

-- end --
-- An expired lease that nobody took over is good enough. $6 statuses that may become $3
UPDATE entity_runs SET status = $3, error = $4, instruction = $5, completed_at = clock_timestamp(),
    cursor = NULL, lease_token = NULL, lease_until = NULL
WHERE run_id = $1 AND lease_token = $2 AND status = ANY($6::text[]);

-- hold_settings --
-- Nobody else changes the integration's settings meanwhile
SELECT FROM entity_syncs WHERE integration_id = $1 FOR NO KEY UPDATE;

-- hold_integration --
-- Nor switches it on or off
SELECT FROM integrations WHERE integration_id = $1 FOR NO KEY UPDATE;

-- streak --
-- Errors in which its runs ended since one ended well, and since a person switched it on or connected it. No row:
-- it is disabled, or the run $2 does not count: what the feed and retries ask for may come ten times in a minute.
-- Runs that a refused credential ended are neither errors nor well
SELECT i.name, (
    SELECT count(*) FROM entity_runs r
    WHERE r.integration_id = i.integration_id AND r.status = 'ERROR' AND r.completed_at > i.updated_at
      AND r.cause NOT IN ('feed', 'retry')
      AND r.completed_at > coalesce((
          SELECT max(o.completed_at) FROM entity_runs o
          WHERE o.integration_id = i.integration_id AND o.status = 'COMPLETE'), '-infinity')) AS errors
FROM integrations i WHERE i.integration_id = $1 AND i.enabled
    AND EXISTS (SELECT FROM entity_runs r WHERE r.run_id = $2 AND r.cause NOT IN ('feed', 'retry'));

-- disable --
-- By the end of the run $2, whose moment tells so from what a person did. Its next run is due once it is enabled
WITH due AS (
    UPDATE entity_syncs SET scheduled_at = NULL WHERE integration_id = $1
)
UPDATE integrations SET enabled = false, updated_at = (SELECT completed_at FROM entity_runs WHERE run_id = $2)
WHERE integration_id = $1;

-- end_waiting --
-- The one that waits will not be run: it ends as the run $2 does, by which the integration was disabled
UPDATE entity_runs r SET status = 'DISABLED', error = o.error, instruction = o.instruction,
    completed_at = o.completed_at
FROM entity_runs o
WHERE r.integration_id = $1 AND r.status = 'WAITING' AND o.run_id = $2
RETURNING r.run_id;

-- announce_integrations --
-- Whoever runs integrations looks again
SELECT pg_notify('m3sync_integrations', '');

-- unsee --
-- What its scan has met
DELETE FROM entity_seen WHERE run_id = $1;

-- completed --
-- The first whole run of its integration
UPDATE entity_syncs SET first_completed_at = clock_timestamp()
WHERE integration_id = $1 AND first_completed_at IS NULL;

-- count --
-- The counters that outlive the pruning of runs: how it ended, its records and its calls, in order so that two
-- daemons never deadlock
INSERT INTO totals (integration_id, kind, label, total)
SELECT r.integration_id, t.kind, t.label, t.total FROM entity_runs r, LATERAL (
    SELECT 'run' AS kind, r.status AS label, 1::bigint AS total
    UNION ALL
    SELECT 'entity', e.label, e.total FROM (VALUES ('read', r.entities_read), ('written', r.written),
        ('created', r.created), ('refused', r.refused), ('marked', r.marked), ('deleted', r.deleted)
    ) AS e (label, total)
    UNION ALL
    SELECT 'entity call', c.key, c.value::bigint FROM jsonb_each_text(r.calls) AS c (key, value)
) AS t
WHERE r.run_id = $1 ORDER BY t.kind, t.label
ON CONFLICT (integration_id, kind, label) DO UPDATE SET total = totals.total + excluded.total;

-- find --
-- The latest first. Each filter null for any: $1 run, $2 integration; $3 only those whose end has disabled their
-- integration; $4 how many, null for all
SELECT r.run_id, r.integration_id, i.name AS integration_name, s.entity_type, r.cause, r.status, r.requested_at,
    r.started_at, r.completed_at, r.cursor, r.is_scanned, r.pages, r.entities_read, r.differing, r.written,
    r.created, r.refused, r.marked, r.deleted, r.unchanged, r.calls, r.error, r.instruction, r.lease_until,
    r.claimed_by
FROM entity_runs r JOIN integrations i USING (integration_id) JOIN entity_syncs s USING (integration_id)
WHERE ($1::uuid IS NULL OR r.run_id = $1) AND ($2::uuid IS NULL OR r.integration_id = $2)
  AND (NOT $3::boolean OR (NOT i.enabled AND r.completed_at = i.updated_at))
ORDER BY r.requested_at DESC, r.run_id
LIMIT $4;
