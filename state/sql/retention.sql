-- What may be forgotten. Inbox, mappings, intents still open and totals never are.

-- change_events --
-- Heard longer ago than $1, at most $2 at once
DELETE FROM change_events WHERE change_event_id IN (
    SELECT change_event_id FROM change_events WHERE received_at < now() - $1::interval LIMIT $2
);

-- runs --
-- Begun longer ago than $1 with their objects and log, except a record's last one and those unfinished
DELETE FROM runs WHERE run_id IN (
    SELECT r.run_id FROM runs r
    WHERE r.started_at < now() - $1::interval AND r.completed_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM record_states s
                      WHERE s.integration_id = r.integration_id AND s.record_id = r.record_id
                        AND s.last_run_id = r.run_id)
    ORDER BY r.started_at LIMIT $2
);

-- run_log --
-- The lines of runs begun longer ago than $1
DELETE FROM run_log WHERE run_id IN (
    SELECT r.run_id FROM runs r
    WHERE r.started_at < now() - $1::interval AND EXISTS (SELECT FROM run_log l WHERE l.run_id = r.run_id)
    ORDER BY r.started_at LIMIT $2
);

-- rereads --
-- Read longer ago than $1, unless records that they put into the inbox are there still
DELETE FROM rereads WHERE reread_id IN (
    SELECT r.reread_id FROM rereads r
    WHERE r.status = 'READ' AND r.finished_at < now() - $1::interval
      AND NOT EXISTS (SELECT FROM inbox i WHERE i.reread_id = r.reread_id)
    ORDER BY r.finished_at LIMIT $2
);

-- intents --
-- Closed longer ago than $1
DELETE FROM intents WHERE intent_id IN (
    SELECT intent_id FROM intents WHERE closed_at < now() - $1::interval LIMIT $2
);

-- entity_runs --
-- Ended longer ago than $1, except the last of each integration, its last whole one, and the errors that count
-- towards disabling it
DELETE FROM entity_runs WHERE run_id IN (
    SELECT r.run_id FROM entity_runs r
    WHERE r.completed_at < now() - $1::interval
      AND EXISTS (SELECT FROM entity_runs o WHERE o.integration_id = r.integration_id
                  AND o.requested_at > r.requested_at)
      AND (r.status <> 'COMPLETE' OR EXISTS (
          SELECT FROM entity_runs o WHERE o.integration_id = r.integration_id AND o.status = 'COMPLETE'
              AND o.requested_at > r.requested_at))
      AND NOT (r.status = 'ERROR' AND r.cause NOT IN ('feed', 'retry')
          AND r.completed_at >= (SELECT i.updated_at FROM integrations i WHERE i.integration_id = r.integration_id)
          AND NOT EXISTS (
              SELECT FROM entity_runs o WHERE o.integration_id = r.integration_id AND o.status = 'COMPLETE'
                  AND o.completed_at > r.completed_at))
    ORDER BY r.completed_at LIMIT $2
);

-- leases --
-- Of claims that ended without letting go
DELETE FROM leases WHERE lease_until < now() - interval '1 day';

-- own_writes --
-- Whose events were expected, or came, longer ago than $1
DELETE FROM own_writes WHERE own_write_id IN (
    SELECT own_write_id FROM own_writes WHERE expires_at < now() - $1::interval LIMIT $2
);

-- brakes --
-- Pauses that ended longer ago than any window in which writes are counted
DELETE FROM brakes WHERE until_at < now() - interval '2 days';
