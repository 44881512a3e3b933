-- The inbox: records known to have changed and not yet synced. One statement each, all rows at once.

-- hear --
-- Remember what was heard, in one order so that two daemons never deadlock; gives what was not heard before
-- for every integration that wants it now, with its object as that one spells it. $1 org, then one array a column
INSERT INTO change_events (org_id, channel, replay_id, object_name, record_id, change_type,
    changed_fields, change_origin, commit_user, transaction_key, committed_at, own_write, heard_for)
SELECT DISTINCT ON (c.channel, c.replay_id, c.record_id, c.transaction_key)
    $1::text, c.channel, c.replay_id, c.object_name, c.record_id, c.change_type,
    string_to_array(c.changed_fields, ','), c.change_origin, c.commit_user, c.transaction_key, c.committed_at,
    c.own_write, string_to_array(c.heard_for, ',')::uuid[]
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::timestamptz[], $12::text[], $13::text[])
    AS c (channel, replay_id, object_name, record_id, change_type, changed_fields, change_origin, commit_user,
          transaction_key, committed_at, own_write, heard_for)
ORDER BY c.channel, c.replay_id, c.record_id, c.transaction_key
ON CONFLICT (org_id, channel, replay_id, record_id, transaction_key) DO UPDATE
    SET heard_for = change_events.heard_for || excluded.heard_for, object_name = excluded.object_name
    WHERE NOT change_events.heard_for @> excluded.heard_for
RETURNING object_name, record_id;

-- put --
-- Coalesce changes into one row a record, in the order of their ids so that two daemons never deadlock.
-- A row set aside or postponed becomes due: the change may have mended it. A claimed row only grows its
-- revision, which its completion will notice, and remembers the wish apart from the one being fulfilled.
-- Of two causes the weightier stays, with the re-read that was the cause; a change that meets a row which a
-- re-read put there leaves it that re-read's. $4 cause, $5 priority, $6 re-read or null, $7 since when the
-- record waits, null for now
INSERT INTO inbox (integration_id, object_name, record_id, cause, priority, reread_id, first_changed_at)
SELECT DISTINCT ON (t.integration_id, t.record_id COLLATE "C")
    t.integration_id, t.object_name, t.record_id, $4::text, $5::smallint, $6::uuid, coalesce($7::timestamptz, now())
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (integration_id, object_name, record_id)
ORDER BY t.integration_id, t.record_id COLLATE "C"
ON CONFLICT (integration_id, record_id) DO UPDATE SET
    revision = inbox.revision + 1,
    changed_at = now(),
    object_name = CASE WHEN inbox.status = 'CLAIMED' THEN inbox.object_name ELSE excluded.object_name END,
    cause = CASE inbox.status WHEN 'CLAIMED' THEN inbox.cause WHEN 'SET_ASIDE' THEN excluded.cause
        ELSE weightier_cause(inbox.cause, excluded.cause) END,
    priority = CASE inbox.status WHEN 'CLAIMED' THEN inbox.priority WHEN 'SET_ASIDE' THEN excluded.priority
        ELSE greatest(inbox.priority, excluded.priority) END,
    reread_id = CASE WHEN inbox.status = 'SET_ASIDE' THEN excluded.reread_id
        WHEN inbox.status = 'WAITING' AND excluded.reread_id IS NOT NULL
            AND weightier_cause(inbox.cause, excluded.cause) <> inbox.cause THEN excluded.reread_id
        ELSE inbox.reread_id END,
    next_cause = CASE WHEN inbox.status = 'CLAIMED' THEN weightier_cause(excluded.cause, inbox.next_cause) END,
    next_priority = CASE WHEN inbox.status = 'CLAIMED' THEN greatest(excluded.priority, inbox.next_priority) END,
    next_reread_id = CASE WHEN inbox.status <> 'CLAIMED' THEN NULL
        WHEN inbox.next_cause IS NULL OR (excluded.reread_id IS NOT NULL
            AND weightier_cause(inbox.next_cause, excluded.cause) <> inbox.next_cause) THEN excluded.reread_id
        ELSE inbox.next_reread_id END,
    rechanged_at = CASE WHEN inbox.status = 'CLAIMED' THEN coalesce(inbox.rechanged_at, excluded.first_changed_at) END,
    first_changed_at = CASE inbox.status WHEN 'CLAIMED' THEN inbox.first_changed_at
        WHEN 'WAITING' THEN least(inbox.first_changed_at, excluded.first_changed_at)
        ELSE excluded.first_changed_at END,
    status = CASE WHEN inbox.status = 'CLAIMED' THEN 'CLAIMED' ELSE 'WAITING' END,
    due_at = CASE WHEN inbox.status = 'CLAIMED' THEN inbox.due_at
        ELSE least(inbox.due_at, greatest(now(), inbox.settled_at)) END,
    attempts = CASE WHEN inbox.status = 'CLAIMED' THEN inbox.attempts ELSE 0 END
RETURNING inbox_id;

-- announce --
-- Wake the workers when this commits
SELECT pg_notify('m3sync_inbox', '');

-- claim --
-- Take the foremost record that is due, or whose holder let its lease expire, and that is in flight nowhere
-- else. $1 integrations, $2 worker, $3 lease, $4 one inbox id or null. The record's own lease is what makes
-- two rows of one record (of two integrations) exclude one another, however close the race. The coalesce keeps
-- the planner, while the table was not analyzed yet, from thinking that one integration has but few rows and
-- from sorting them all instead of walking the index inbox_due.
WITH expired AS (
    SELECT inbox_id, record_id, priority, due_at, first_changed_at FROM inbox i
    WHERE status = 'CLAIMED' AND lease_until <= now()
      AND coalesce(integration_id = ANY($1::uuid[]), false) AND ($4::bigint IS NULL OR inbox_id = $4)
      AND NOT EXISTS (SELECT FROM leases
                      WHERE lease_key = 'record:' || i.record_id AND lease_until > now())
    ORDER BY priority DESC, due_at, first_changed_at, inbox_id
    LIMIT 1 FOR UPDATE SKIP LOCKED
), waiting AS (
    SELECT inbox_id, record_id, priority, due_at, first_changed_at FROM inbox i
    WHERE status = 'WAITING' AND due_at <= now()
      AND coalesce(integration_id = ANY($1::uuid[]), false) AND ($4::bigint IS NULL OR inbox_id = $4)
      AND NOT EXISTS (SELECT FROM leases
                      WHERE lease_key = 'record:' || i.record_id AND lease_until > now())
    ORDER BY priority DESC, due_at, first_changed_at, inbox_id
    LIMIT 1 FOR UPDATE SKIP LOCKED
), foremost AS (
    SELECT inbox_id, record_id, gen_random_uuid() AS token
    FROM (SELECT * FROM expired UNION ALL SELECT * FROM waiting) AS both_kinds
    ORDER BY priority DESC, due_at, first_changed_at, inbox_id LIMIT 1
), leased AS (
    INSERT INTO leases (lease_key, lease_token, lease_until)
    SELECT 'record:' || record_id, token, now() + $3::interval FROM foremost
    ON CONFLICT (lease_key) DO UPDATE
        SET lease_token = excluded.lease_token, lease_until = excluded.lease_until
        WHERE leases.lease_until <= now()
    RETURNING lease_token
)
UPDATE inbox SET status = 'CLAIMED', attempts = attempts + 1, lease_token = leased.lease_token,
    lease_until = now() + $3::interval, claimed_by = $2,
    -- what was heard while a holder had it that died is part of this claim
    cause = weightier_cause(cause, next_cause), priority = greatest(priority, next_priority),
    next_cause = NULL, next_priority = NULL, next_reread_id = NULL, rechanged_at = NULL
FROM foremost JOIN leased ON leased.lease_token = foremost.token
WHERE inbox.inbox_id = foremost.inbox_id
RETURNING inbox.inbox_id, integration_id, object_name, inbox.record_id, cause, priority, revision, attempts,
    first_changed_at, inbox.lease_token, now() AS claimed_at, reread_id;

-- is_any_due --
-- Whether a claim that found nothing lost a race and should look again
SELECT EXISTS (
    SELECT FROM inbox i
    WHERE status = 'WAITING' AND due_at <= now()
      AND coalesce(integration_id = ANY($1::uuid[]), false) AND ($2::bigint IS NULL OR inbox_id = $2)
      AND NOT EXISTS (SELECT FROM leases
                      WHERE lease_key = 'record:' || i.record_id AND lease_until > now())
);

-- hold --
-- Lock the claimed row against take-over while its holder acts; nothing when the lease is lost or expired
SELECT revision FROM inbox
WHERE inbox_id = $1 AND lease_token = $2 AND lease_until > clock_timestamp()
FOR UPDATE;

-- lock --
-- Lock the claimed row to end the claim; an expired lease that nobody took over is good enough for that
SELECT revision FROM inbox WHERE inbox_id = $1 AND lease_token = $2 FOR UPDATE;

-- hold_keys --
-- Lease keys for a claim, in order so that two holders never deadlock; gives how many are held
WITH held AS (
    INSERT INTO leases (lease_key, lease_token, lease_until)
    SELECT DISTINCT key, $1::uuid, clock_timestamp() + $3::interval FROM unnest($2::text[]) AS key ORDER BY key
    ON CONFLICT (lease_key) DO UPDATE
        SET lease_token = excluded.lease_token, lease_until = excluded.lease_until
        WHERE leases.lease_until <= clock_timestamp() OR leases.lease_token = excluded.lease_token
    RETURNING lease_key
)
SELECT count(*) FROM held;

-- renew --
-- Prolong the claim and all it holds to one and the same moment
WITH until AS (
    SELECT clock_timestamp() + $3::interval AS moment
), held AS (
    UPDATE leases SET lease_until = moment FROM until WHERE lease_token = $2
)
UPDATE inbox SET lease_until = moment FROM until WHERE inbox_id = $1 AND lease_token = $2;

-- free_leases --
-- Let go of the record and of its accounts
DELETE FROM leases WHERE lease_token = $1;

-- delete --
-- The record is synced
DELETE FROM inbox WHERE inbox_id = $1;

-- put_back --
-- It changed while it was claimed: once more from the start, for what was heard meanwhile only.
-- $2 statuses that may become WAITING, $3 how long a lost call may still take effect
UPDATE inbox SET status = 'WAITING', attempts = 0, due_at = now() + $3::interval,
    settled_at = now() + $3::interval, cause = coalesce(next_cause, cause),
    priority = coalesce(next_priority, priority), reread_id = next_reread_id,
    next_cause = NULL, next_priority = NULL, next_reread_id = NULL, lease_token = NULL, lease_until = NULL,
    claimed_by = NULL, error = NULL, first_changed_at = coalesce(rechanged_at, changed_at), rechanged_at = NULL
WHERE inbox_id = $1 AND status = ANY($2::text[]);

-- postpone --
-- Try later, in $2; $4 is 1 when this attempt does not count. A change heard meanwhile has not been tried: it
-- is due as soon as a call whose answer was lost can no longer take effect ($6).
UPDATE inbox SET status = 'WAITING', settled_at = now() + least($2::interval, $6::interval),
    due_at = now() + CASE WHEN rechanged_at IS NULL THEN $2::interval
        ELSE least($2::interval, $6::interval) END,
    attempts = CASE WHEN rechanged_at IS NULL THEN greatest(attempts - $4::integer, 0) ELSE 0 END,
    cause = weightier_cause(cause, next_cause), priority = greatest(priority, next_priority),
    next_cause = NULL, next_priority = NULL, next_reread_id = NULL,
    error = $3, lease_token = NULL, lease_until = NULL, claimed_by = NULL, rechanged_at = NULL
WHERE inbox_id = $1 AND status = ANY($5::text[]);

-- set_aside --
-- Until a person or another change brings it back; $4 how long a lost call may still take effect
UPDATE inbox SET status = 'SET_ASIDE', error = $2, lease_token = NULL, lease_until = NULL, claimed_by = NULL,
    rechanged_at = NULL, settled_at = now() + $4::interval, due_at = now() + $4::interval
WHERE inbox_id = $1 AND status = ANY($3::text[]);

-- find --
-- Rows of one record (15 or 18 characters), one id, one status, or all: each filter null for any
SELECT i.inbox_id, i.integration_id, n.name AS integration_name, i.object_name, i.record_id, i.cause, i.priority,
    i.status, i.first_changed_at, i.changed_at, i.due_at, i.attempts, i.lease_until, i.claimed_by, i.error, i.reread_id
FROM inbox i JOIN integrations n USING (integration_id)
WHERE ($1::bigint IS NULL OR i.inbox_id = $1)
  AND ($2::text IS NULL OR i.record_id = $2)
  AND ($3::text IS NULL OR i.status = $3)
ORDER BY i.priority DESC, i.due_at, i.inbox_id
LIMIT $4;
