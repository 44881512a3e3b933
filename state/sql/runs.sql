-- Runs: one attempt each, with its object results and its log.

-- end_interrupted --
-- A run of the same record that is still STARTED was cut short: its daemon died. $3 statuses that may become
-- AWAITING_RETRY
UPDATE runs SET status = 'AWAITING_RETRY', success = false, completed_at = now(), next_attempt_at = now(),
    message = 'm3sync was interrupted during this run.', instruction = 'Nothing to do: the next run takes it up.'
WHERE integration_id = $1 AND record_id = $2 AND status = ANY($3::text[]) AND status = 'STARTED';

-- start --
-- An attempt begins, for the re-read that put its record into the inbox, if one did
INSERT INTO runs (integration_id, object_name, record_id, cause, attempt, status, changed_at, started_at, reread_id)
VALUES ($1, $2, $3, $4, $5, 'STARTED', $6, clock_timestamp(),
    (SELECT reread_id FROM inbox WHERE integration_id = $1 AND record_id = $3))
RETURNING run_id;

-- finish --
-- It ends. $8 statuses that may become $2
UPDATE runs SET status = $2, sync_status = $3, success = $4, message = $5, instruction = $6,
    next_attempt_at = now() + $7::interval, completed_at = clock_timestamp()
WHERE run_id = $1 AND status = ANY($8::text[]);

-- add_objects --
-- Its object results, in order
INSERT INTO run_objects (run_id, position, object_name, salesforce_id, m3ter_id, action, success, message, changes)
SELECT $1, o.position, o.object_name, o.salesforce_id, o.m3ter_id, o.action, o.success, o.message, o.changes
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::jsonb[])
    WITH ORDINALITY
    AS o (object_name, salesforce_id, m3ter_id, action, success, message, changes, position);

-- add_log --
-- Its log lines, in order
INSERT INTO run_log (run_id, line, logged_at, kind, detail)
SELECT $1, l.line, l.logged_at, l.kind, l.detail
FROM unnest($2::timestamptz[], $3::text[], $4::jsonb[]) WITH ORDINALITY AS l (logged_at, kind, detail, line);

-- count --
-- Add a finished run and what it did to the counters, in order so that two daemons never deadlock
INSERT INTO totals (integration_id, kind, label, total)
SELECT r.integration_id, t.kind, t.label, count(*)
FROM runs r, unnest($2::text[], $3::text[]) AS t (kind, label)
WHERE r.run_id = $1
GROUP BY r.integration_id, t.kind, t.label
ORDER BY r.integration_id, t.kind, t.label
ON CONFLICT (integration_id, kind, label) DO UPDATE SET total = totals.total + excluded.total;

-- find --
-- The latest first. Each filter null for any: $1 run, $2 integration name or id, $3 record (as the record of
-- the run or of one of its objects), $4 whether it failed; $5 how many
SELECT r.run_id, r.integration_id, i.name AS integration_name, r.object_name, r.record_id, r.cause, r.attempt,
    r.status, r.sync_status, r.success, r.message, r.instruction, r.changed_at, r.started_at, r.completed_at,
    r.next_attempt_at
FROM runs r JOIN integrations i USING (integration_id)
WHERE ($1::uuid IS NULL OR r.run_id = $1)
  AND ($2::text IS NULL OR i.name = $2 OR i.integration_id::text = lower($2))
  AND ($3::text IS NULL OR r.record_id = $3
       OR r.run_id IN (SELECT o.run_id FROM run_objects o WHERE o.salesforce_id = $3))
  AND ($4::boolean IS NULL OR (r.success IS FALSE) = $4)
ORDER BY r.started_at DESC, r.run_id
LIMIT $5;

-- own --
-- The latest of one record and integration
SELECT r.run_id, r.integration_id, i.name AS integration_name, r.object_name, r.record_id, r.cause, r.attempt,
    r.status, r.sync_status, r.success, r.message, r.instruction, r.changed_at, r.started_at, r.completed_at,
    r.next_attempt_at
FROM runs r JOIN integrations i USING (integration_id)
WHERE r.integration_id = $1 AND r.record_id = $2
ORDER BY r.started_at DESC, r.run_id
LIMIT $3;

-- objects --
-- The object results of some runs
SELECT run_id, object_name, salesforce_id, action, success, message, m3ter_id, changes
FROM run_objects WHERE run_id = ANY($1::uuid[]) ORDER BY run_id, position;

-- log --
-- The lines of some runs
SELECT run_id, kind, logged_at, detail FROM run_log WHERE run_id = ANY($1::uuid[]) ORDER BY run_id, line;
