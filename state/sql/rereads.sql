-- Windows that are read again, page by page, until all that they hold is in the inbox.

-- widen --
-- One of the same object and cause that was not begun takes the new window in; a null is the wider bound. One
-- that is just being taken is let be, as nobody must wait here who holds rows of the inbox. $5 from, $6 until, $10 delay
UPDATE rereads r SET
    from_at = CASE WHEN $5::timestamptz IS NOT NULL AND r.from_at IS NOT NULL THEN least(r.from_at, $5) END,
    until_at = CASE WHEN $6::timestamptz IS NOT NULL AND r.until_at IS NOT NULL THEN greatest(r.until_at, $6) END,
    channel = $7,
    detail = $8,
    checks_missing = r.checks_missing OR $9,
    due_at = CASE WHEN $10::interval > '0' THEN greatest(r.due_at, now() + $10)
        WHEN r.error IS NULL THEN least(r.due_at, now()) ELSE r.due_at END
FROM (
    SELECT reread_id FROM rereads
    WHERE integration_id = $1 AND org_id = $2 AND object_name = $3 AND cause = $4
      AND status = 'WAITING' AND started_at IS NULL
    ORDER BY opened_at LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
) AS known
WHERE r.reread_id = known.reread_id
RETURNING r.reread_id;

-- open --
-- A window to be read
INSERT INTO rereads (integration_id, org_id, object_name, cause, from_at, until_at, channel, detail, checks_missing,
    due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::interval)
RETURNING reread_id;

-- note_gap --
-- Records named by events without data, which are in the inbox already
INSERT INTO rereads (integration_id, org_id, object_name, cause, detail, channel, status,
    records_read, records_put, total, started_at, finished_at)
VALUES ($1, $2, $3, 'gap', $5, $6, 'READ', $4, $4, $4, now(), now())
RETURNING reread_id;

-- announce --
-- Wake who reads again when this commits
SELECT pg_notify('m3sync_rereads', '');

-- claim --
-- Take the foremost that is due, or whose holder let its lease expire. $3 lease, $4 statuses that may become READING
UPDATE rereads r SET status = 'READING', attempts = r.attempts + 1, lease_token = gen_random_uuid(),
    lease_until = now() + $3::interval
FROM (
    SELECT reread_id FROM rereads
    WHERE integration_id = $1 AND org_id = $2 AND status <> 'READ' AND status = ANY($4::text[])
      AND CASE status WHEN 'WAITING' THEN due_at <= now() ELSE lease_until <= now() END
    ORDER BY cause = 'initial', cause = 'look-up', opened_at, reread_id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
) AS foremost
WHERE r.reread_id = foremost.reread_id
RETURNING r.reread_id, integration_id, org_id, object_name, cause, detail, channel, from_at, until_at, checks_missing,
    phase, cursor_at, cursor_id, records_read, records_put, total, attempts, started_at IS NOT NULL AS has_begun,
    lease_token;

-- is_outranked --
-- Whether one that is due goes before the one in hand: an initial synchronization makes way for all others
SELECT EXISTS (
    SELECT FROM rereads other JOIN rereads own ON own.reread_id = $3
    WHERE other.integration_id = $1 AND other.org_id = $2 AND other.status = 'WAITING' AND other.due_at <= now()
      AND other.reread_id <> $3 AND own.cause = 'initial' AND other.cause <> 'initial'
);

-- unread --
-- Those of the objects $3, in lower case, of which changes may have been missed that no page has read yet: a look-up
-- reads none
SELECT DISTINCT lower(object_name) AS object_name FROM rereads
WHERE integration_id = $1 AND org_id = $2 AND status <> 'READ' AND cause <> 'look-up'
  AND lower(object_name) = ANY($3::text[]);

-- begin --
-- Until when it is read, and how many there are: fixed once
UPDATE rereads SET started_at = coalesce(started_at, now()), until_at = $3, total = $4
WHERE reread_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp()
RETURNING reread_id, integration_id, org_id, object_name, cause, detail, channel, from_at, until_at, checks_missing,
    phase, cursor_at, cursor_id, records_read, records_put, total, attempts, true AS has_begun, lease_token;

-- keep_page --
-- The fence of a page: headway, and the lease prolonged by $3. $4 phase, $5 and $6 cursor, $7 read, $8 put
UPDATE rereads SET phase = $4, cursor_at = $5, cursor_id = $6, records_read = records_read + $7,
    records_put = records_put + $8, attempts = 1, error = NULL, instruction = '',
    lease_until = clock_timestamp() + $3::interval
WHERE reread_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp()
RETURNING reread_id, integration_id, org_id, object_name, cause, detail, channel, from_at, until_at, checks_missing,
    phase, cursor_at, cursor_id, records_read, records_put, total, attempts, started_at IS NOT NULL AS has_begun,
    lease_token;

-- renew --
-- Prolong the lease by $3
UPDATE rereads SET lease_until = clock_timestamp() + $3::interval
WHERE reread_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp()
RETURNING reread_id, integration_id, org_id, object_name, cause, detail, channel, from_at, until_at, checks_missing,
    phase, cursor_at, cursor_id, records_read, records_put, total, attempts, started_at IS NOT NULL AS has_begun,
    lease_token;

-- finish --
-- All of it is in the inbox; an expired lease that nobody took over is good enough. $3 statuses that may become READ
UPDATE rereads SET status = 'READ', finished_at = now(), error = NULL, instruction = '',
    lease_token = NULL, lease_until = NULL
WHERE reread_id = $1 AND lease_token = $2 AND status = ANY($3::text[])
RETURNING reread_id, integration_id, org_id, object_name, cause, detail, channel, from_at, until_at, checks_missing,
    phase, cursor_at, cursor_id, records_read, records_put, total, attempts, true AS has_begun, $2::uuid AS lease_token;

-- postpone --
-- Go on later from the cursor; without an error the attempt does not count. $6 statuses that may become WAITING
UPDATE rereads SET status = 'WAITING', due_at = now() + $3::interval, error = coalesce($4::text, error),
    instruction = CASE WHEN $4::text IS NULL THEN instruction ELSE $5 END,
    attempts = CASE WHEN $4::text IS NULL THEN greatest(attempts - 1, 0) ELSE attempts END,
    lease_token = NULL, lease_until = NULL
WHERE reread_id = $1 AND lease_token = $2 AND status = ANY($6::text[])
RETURNING reread_id, integration_id, org_id, object_name, cause, detail, channel, from_at, until_at, checks_missing,
    phase, cursor_at, cursor_id, records_read, records_put, total, attempts, started_at IS NOT NULL AS has_begun,
    $2::uuid AS lease_token;

-- cancel --
-- Given up by a person. $2 statuses that may become READ
UPDATE rereads SET status = 'READ', finished_at = now(), lease_token = NULL, lease_until = NULL,
    error = NULL, instruction = '', detail = concat_ws(' ', nullif(detail, ''), 'Given up by hand.')
WHERE reread_id = $1 AND status = ANY($2::text[]);

-- looked_up --
-- The objects whose known records are looked up by a window that was opened within $3; not by one given up before.
-- $4 causes
SELECT DISTINCT object_name FROM rereads
WHERE integration_id = $1 AND org_id = $2 AND checks_missing AND opened_at > now() - $3::interval
  AND (status <> 'READ' OR phase = 'missing') AND cause = ANY($4::text[]);

-- latest --
-- The open ones first, then the latest. One is stranded whose org is not the one that was heard last since the
-- connecting. $1 integration or null, $2 whether only open ones, $3 record or null: those that have it in the inbox, or
-- by which it was synced; $4 how many
SELECT r.reread_id, r.integration_id, i.name AS integration_name, r.org_id, r.object_name, r.cause, r.detail,
    r.channel, r.from_at, r.until_at, r.checks_missing, r.status, r.phase, r.records_read, r.records_put, r.total,
    (SELECT count(*) FROM inbox b WHERE b.reread_id = r.reread_id AND b.status <> 'SET_ASIDE') AS "left",
    (SELECT count(*) FROM reread_differences d WHERE d.reread_id = r.reread_id) AS differences,
    r.attempts, r.error, r.instruction, r.due_at, r.opened_at, r.started_at, r.finished_at,
    r.status <> 'READ' AND coalesce(r.lease_until <= now(), true) AND r.org_id <> coalesce((
        SELECT k.org_id FROM checkpoints k
        WHERE k.integration_id = r.integration_id AND k.updated_at >= coalesce(i.connected_at, '-infinity')
        ORDER BY k.updated_at DESC LIMIT 1
    ), r.org_id) AS is_stranded
FROM (
    SELECT * FROM rereads
    WHERE ($1::uuid IS NULL OR integration_id = $1) AND (NOT $2::boolean OR status <> 'READ')
      AND ($3::text IS NULL OR reread_id IN (
        SELECT reread_id FROM inbox WHERE record_id = $3
        UNION SELECT reread_id FROM runs WHERE record_id = $3
        UNION SELECT reread_id FROM reread_differences WHERE record_id = $3))
    ORDER BY status = 'READ', opened_at DESC, reread_id
    LIMIT $4
) AS r JOIN integrations i USING (integration_id)
ORDER BY r.status = 'READ', r.opened_at DESC, r.reread_id;

-- add_difference --
-- Once for a record; nothing when the re-read is forgotten already
INSERT INTO reread_differences (reread_id, record_id)
SELECT reread_id, $2 FROM rereads WHERE reread_id = $1
ON CONFLICT DO NOTHING;

-- count --
-- Add to the counters that outlive the pruning. $2 kind, then labels and by how much
INSERT INTO totals (integration_id, kind, label, total)
SELECT $1, $2, t.label, t.total FROM unnest($3::text[], $4::bigint[]) AS t (label, total)
WHERE t.total > 0
ORDER BY t.label
ON CONFLICT (integration_id, kind, label) DO UPDATE SET total = totals.total + excluded.total;
