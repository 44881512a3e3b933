-- What people and metrics ask for; nothing here writes.

-- depths --
-- The inbox of each integration in numbers. What an initial synchronization put there is no lag: nothing changed
SELECT integration_id,
    count(*) FILTER (WHERE status = 'WAITING') AS waiting,
    count(*) FILTER (WHERE status = 'WAITING' AND due_at <= now()) AS due,
    count(*) FILTER (WHERE status = 'CLAIMED') AS claimed,
    count(*) FILTER (WHERE status = 'SET_ASIDE') AS set_aside,
    min(first_changed_at) FILTER (WHERE status <> 'SET_ASIDE' AND cause <> 'initial') AS oldest_changed_at,
    bool_or(cause = 'initial' AND status <> 'SET_ASIDE') AS has_initial
FROM inbox GROUP BY integration_id;

-- syncs --
-- When each integration to m3ter synced first and last
SELECT i.integration_id, i.name,
    (SELECT min(first_synced_at) FROM record_states s WHERE s.integration_id = i.integration_id) AS first_at,
    (SELECT max(last_synced_at) FROM record_states s WHERE s.integration_id = i.integration_id) AS last_at,
    (SELECT coalesce(sum(total), 0)::bigint FROM totals t
     WHERE t.integration_id = i.integration_id AND t.kind = 'echo' AND t.label = 'echo') AS echoes,
    (SELECT coalesce(sum(total), 0)::bigint FROM totals t
     WHERE t.integration_id = i.integration_id AND t.kind = 'echo' AND t.label = 'near miss') AS near_misses
FROM integrations i WHERE i.field_mapping_id IS NOT NULL;

-- windows --
-- How many windows of each integration to m3ter are still open
SELECT i.integration_id, i.name, count(r.reread_id) AS open_windows,
    coalesce(bool_or(r.cause = 'initial'), false) AS has_initial
FROM integrations i LEFT JOIN rereads r ON r.integration_id = i.integration_id AND r.status <> 'READ'
WHERE i.field_mapping_id IS NOT NULL
GROUP BY i.integration_id, i.name;

-- issues --
-- Records of one integration that need a person or are being retried, the gravest and latest first, with
-- how many there are in all. Objects that were flagged not to sync are no issue; neither is a record of which
-- nothing but a person's wish is known, and of which nothing was ever met: a mistyped id would be one for ever. $1 integration, $2 limit
WITH stuck AS (
    SELECT CASE WHEN status = 'SET_ASIDE' THEN 'set aside' WHEN b.record_id IS NOT NULL THEN 'ping-pong'
            ELSE 'retrying' END AS kind,
        inbox.record_id AS subject, coalesce(error, '') AS message, '' AS instruction,
        coalesce(b.braked_at, changed_at) AS since,
        (SELECT r.run_id FROM runs r WHERE r.record_id = inbox.record_id
            AND r.integration_id = inbox.integration_id ORDER BY r.started_at DESC LIMIT 1) AS run_id,
        inbox_id, coalesce(b.until_at, due_at) AS due_at
    FROM inbox LEFT JOIN brakes b
        ON b.integration_id = inbox.integration_id AND b.record_id = inbox.record_id AND b.until_at > now()
    WHERE inbox.integration_id = $1 AND error IS NOT NULL
      AND (status = 'SET_ASIDE' OR (status = 'WAITING' AND (attempts > 0 OR b.record_id IS NOT NULL)))
), failed AS (
    SELECT 'failed' AS kind, s.record_id AS subject,
        coalesce(o.message, r.message, '') AS message, coalesce(r.instruction, '') AS instruction,
        s.updated_at AS since, s.last_run_id AS run_id, NULL::bigint AS inbox_id, NULL::timestamptz AS due_at
    FROM record_states s
    LEFT JOIN runs r ON r.run_id = s.last_run_id
    LEFT JOIN LATERAL (
        SELECT string_agg(concat(object_name, ': ', message, CASE WHEN message !~ '[.!?…]$' THEN '.' END), ' '
            ORDER BY position) AS message, count(*) AS failures
        FROM run_objects WHERE run_id = s.last_run_id AND action = 'failed'
    ) o ON true
    WHERE s.integration_id = $1
      AND (s.sync_status = 'Failed' OR (s.sync_status = 'Partial Success' AND o.failures > 0))
      AND s.record_id NOT IN (SELECT subject FROM stuck)
      AND NOT (s.sync_status = 'Failed' AND r.cause = 'manual' AND s.first_synced_at IS NULL
               AND NOT EXISTS (SELECT FROM run_objects x WHERE x.run_id = s.last_run_id)
               AND NOT EXISTS (SELECT FROM record_parents p WHERE p.parent_id = s.record_id)
               AND NOT EXISTS (SELECT FROM change_events e WHERE e.record_id = s.record_id))
)
SELECT kind, subject, message, instruction, since, run_id, inbox_id, due_at, count(*) OVER () AS issue_count
FROM (SELECT * FROM stuck UNION ALL SELECT * FROM failed) AS issue
ORDER BY array_position(ARRAY['ping-pong', 'set aside', 'failed', 'retrying'], kind), since DESC, subject
LIMIT $2;

-- events --
-- What was heard of a record and of its lines, the latest first
SELECT org_id, channel, replay_id, object_name, record_id, change_type, changed_fields, change_origin,
    commit_user, committed_at, received_at, own_write
FROM change_events
WHERE record_id = $1 OR record_id IN (SELECT p.record_id FROM record_parents p WHERE p.parent_id = $1)
ORDER BY received_at DESC, committed_at DESC NULLS LAST, change_event_id DESC
LIMIT $2;

-- parents --
-- The records a line belonged to
SELECT DISTINCT parent_id FROM record_parents WHERE record_id = $1 ORDER BY parent_id;

-- states --
-- What each integration remembers of a record; an entity data sync only that it is gone
SELECT integration_id, record_id, criterion_held, sync_status, last_run_id, first_synced_at, last_synced_at
FROM record_states WHERE record_id = $1 AND integration_id NOT IN (SELECT integration_id FROM entity_syncs);

-- totals --
-- The counters of all integrations
SELECT i.name, t.kind, t.label, t.total FROM totals t JOIN integrations i USING (integration_id);

-- moments --
-- The last event heard, and how many creates have an unknown end
SELECT (SELECT max(received_at) FROM change_events) AS last_event_at,
       (SELECT count(*) FROM intents WHERE status = 'OPEN') AS open_intents;
