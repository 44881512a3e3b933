-- Copies of m3ter entities in Salesforce: compared, wanted, written, refused, gone.

-- known --
-- What a page is compared with
SELECT m3ter_id, version, mapped_with, digest, written_digest, status FROM entity_copies
WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]);

-- want --
-- What differs from what was wanted waits; the same again keeps its place, its back-off, or its refusal. Even what was
-- written before is written again when something else may be on its way. $2 ids, $3 accounts, $4 versions, $5 mapped
-- with, $6 digests, $7 payloads
WITH put AS (
    INSERT INTO entity_copies AS c
        (integration_id, m3ter_id, account_id, version, mapped_with, digest, status, action, payload)
    SELECT $1, g.m3ter_id, g.account_id, g.version, g.mapped_with, g.digest, 'WAITING', 'upsert', g.payload
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::jsonb[])
        AS g (m3ter_id, account_id, version, mapped_with, digest, payload)
    ORDER BY g.m3ter_id
    ON CONFLICT (integration_id, m3ter_id) DO UPDATE SET
        account_id = excluded.account_id,
        version = excluded.version,
        mapped_with = excluded.mapped_with,
        digest = excluded.digest,
        action = 'upsert',
        status = CASE WHEN c.digest = excluded.digest THEN c.status ELSE 'WAITING' END,
        payload = CASE WHEN c.digest = excluded.digest THEN c.payload ELSE excluded.payload END,
        due_at = CASE WHEN c.digest = excluded.digest THEN c.due_at ELSE now() END,
        attempts = CASE WHEN c.digest = excluded.digest THEN c.attempts ELSE 0 END,
        error = CASE WHEN c.digest = excluded.digest THEN c.error END,
        error_code = CASE WHEN c.digest = excluded.digest THEN c.error_code ELSE '' END,
        error_fields = CASE WHEN c.digest = excluded.digest THEN c.error_fields ELSE '{}' END,
        changed_at = CASE WHEN c.digest = excluded.digest THEN c.changed_at ELSE now() END
    RETURNING status
)
SELECT count(*) FILTER (WHERE status = 'WAITING') FROM put;

-- want_instead --
-- Those that wait to be $3 are to be $4, and were mapped as if no other record said anything of them: once one does,
-- they are mapped anew. $2 ids, $3 and $4 digests, $5 payloads
UPDATE entity_copies c SET digest = g.digest, payload = g.payload, mapped_with = split_part(c.mapped_with, '+', 1)
FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[]) AS g (m3ter_id, before, digest, payload)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.digest = g.before AND c.status = 'WAITING';

-- see --
-- The scan has met them
INSERT INTO entity_seen (run_id, m3ter_id) SELECT $1, m3ter_id FROM unnest($2::text[]) AS g (m3ter_id)
ORDER BY m3ter_id ON CONFLICT DO NOTHING;

-- touch --
-- Mapped anew, and nothing came out differently
UPDATE entity_copies c SET version = g.version, mapped_with = g.mapped_with
FROM unnest($2::text[], $3::bigint[], $4::text[]) AS g (m3ter_id, version, mapped_with)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id
  AND (c.version, c.mapped_with) IS DISTINCT FROM (g.version, g.mapped_with);

-- unmet --
-- Of the $5 copies after $4 those that the scan $2 has not met and with which $3 is not done or under way yet; and the
-- last copy looked at. However many copies there are, one look is short.
WITH slice AS MATERIALIZED (
    SELECT m3ter_id, action FROM entity_copies
    WHERE integration_id = $1 AND m3ter_id > $4
    ORDER BY m3ter_id
    LIMIT $5
)
SELECT ARRAY(
    SELECT c.m3ter_id FROM slice c
    WHERE c.action <> $3
      AND (SELECT true FROM entity_seen s WHERE s.run_id = $2 AND s.m3ter_id = c.m3ter_id) IS NULL
    ORDER BY c.m3ter_id
) AS m3ter_ids, (SELECT max(m3ter_id) FROM slice) AS latest;

-- hold --
-- Locked in one order, so that nobody waits for another in a circle; $1 integrations
SELECT FROM entity_copies WHERE integration_id = ANY($1::uuid[]) AND m3ter_id = ANY($2::text[])
ORDER BY m3ter_id, integration_id FOR NO KEY UPDATE;

-- decide --
-- Waits until no other integration with the same records decides what it lets go of
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'm3sync records', entity_type, namespace), 0))
FROM entity_syncs WHERE integration_id = $1;

-- shared --
-- Those of $2 that the integrations $1, as far as they are switched on, keep or will keep
SELECT DISTINCT c.m3ter_id FROM entity_copies c JOIN integrations i USING (integration_id)
WHERE c.integration_id = ANY($1::uuid[]) AND c.m3ter_id = ANY($2::text[]) AND i.enabled
  AND c.action = 'upsert' AND (c.status <> 'REFUSED' OR c.salesforce_id IS NOT NULL);

-- undone --
-- Held: the records $2 were marked or deleted. The integrations $1, which have them too, write them anew, if they are
-- still their own.
UPDATE entity_copies SET version = 0, mapped_with = '', digest = '', written_digest = NULL
WHERE integration_id = ANY($1::uuid[]) AND m3ter_id = ANY($2::text[]) AND action = 'upsert';

-- forget --
-- Kept in Salesforce as they are
DELETE FROM entity_copies WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]);

-- remove --
-- To be marked or deleted; what comes again is like nothing that is known. One that was to be so already when it was
-- withheld is as of then: the call that said so may have been heard. $3 action
UPDATE entity_copies SET status = 'WAITING', action = $3, digest = $3, written_digest = NULL, version = 0,
    mapped_with = '', payload = NULL, due_at = now(), attempts = 0, error = NULL, error_code = '',
    error_fields = '{}', changed_at = CASE WHEN digest = 'withheld ' || $3 THEN changed_at ELSE now() END
WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]) AND action <> $3;

-- withhold --
-- The first $3 of what is not in Salesforce as wanted, and is from now on like nothing that is known: due never, and
-- wanted, or removed, once a scan looks at it. $2 only what another mapping than this made, null: all
UPDATE entity_copies c SET status = 'WAITING', action = 'upsert', version = 0, mapped_with = '',
    digest = 'withheld ' || action, payload = NULL, due_at = 'infinity', attempts = 0, error = NULL, error_code = '', error_fields = '{}',
    is_orphan = false
FROM (
    SELECT m3ter_id FROM entity_copies
    WHERE integration_id = $1 AND (status = 'WAITING' OR error IS NOT NULL) AND due_at < 'infinity'
      AND ($2::text IS NULL OR (action = 'upsert' AND split_part(mapped_with, '+', 1) <> $2))
    ORDER BY m3ter_id
    LIMIT $3
    FOR NO KEY UPDATE
) AS outdated
WHERE c.integration_id = $1 AND c.m3ter_id = outdated.m3ter_id;

-- are_withheld --
-- Whether any is
SELECT EXISTS (SELECT FROM entity_copies WHERE integration_id = $1 AND status = 'WAITING' AND due_at = 'infinity');

-- waiting --
-- Those that are due, the longest first, but for what is unplaced. $2 how many, $3 except these
SELECT m3ter_id, action, digest, payload, salesforce_id, attempts, changed_at, is_orphan FROM entity_copies
WHERE integration_id = $1 AND status = 'WAITING' AND due_at <= now() AND m3ter_id <> ALL($3::text[])
  AND (action = 'upsert' OR salesforce_id IS NOT NULL)
ORDER BY due_at, m3ter_id
LIMIT $2;

-- waiting_among --
-- Those of $2 that are due
SELECT m3ter_id, action, digest, payload, salesforce_id, attempts, changed_at, is_orphan FROM entity_copies
WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]) AND status = 'WAITING' AND due_at <= now()
  AND (action = 'upsert' OR salesforce_id IS NOT NULL)
ORDER BY due_at, m3ter_id;

-- count_waiting --
-- How many are due, but for what is unplaced, counting no further than $2
SELECT count(*) FROM (
    SELECT FROM entity_copies
    WHERE integration_id = $1 AND status = 'WAITING' AND due_at <= now()
      AND (action = 'upsert' OR salesforce_id IS NOT NULL)
    LIMIT $2
) AS due;

-- next_due --
-- When the next is due; $2 counting those that have long waited for a parent too
SELECT min(due_at) FROM entity_copies
WHERE integration_id = $1 AND status = 'WAITING' AND due_at < 'infinity' AND (action = 'upsert' OR salesforce_id IS NOT NULL)
  AND ($2 OR NOT is_orphan OR attempts < 3 OR due_at <= now());

-- unplaced --
-- To be removed, wherever it is: $2 of them
SELECT m3ter_id FROM entity_copies
WHERE integration_id = $1 AND status = 'WAITING' AND action <> 'upsert' AND salesforce_id IS NULL
ORDER BY m3ter_id
LIMIT $2;

-- place --
-- Of those unplaced, these were found. $2 ids, $3 Salesforce ids
UPDATE entity_copies c SET salesforce_id = g.salesforce_id
FROM unnest($2::text[], $3::text[]) AS g (m3ter_id, salesforce_id)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.action <> 'upsert' AND c.salesforce_id IS NULL;

-- forget_unplaced --
-- They never came to Salesforce
DELETE FROM entity_copies
WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]) AND action <> 'upsert' AND salesforce_id IS NULL;

-- written --
-- What was wanted is there; what has changed meanwhile goes on waiting, knowing what is there. $2 ids, $3 digests, $4
-- Salesforce ids
UPDATE entity_copies c SET
    status = CASE WHEN c.digest = g.digest THEN 'WRITTEN' ELSE c.status END,
    payload = CASE WHEN c.digest = g.digest THEN NULL ELSE c.payload END,
    attempts = CASE WHEN c.digest = g.digest THEN 0 ELSE c.attempts END,
    error = CASE WHEN c.digest = g.digest THEN NULL ELSE c.error END,
    error_code = CASE WHEN c.digest = g.digest THEN '' ELSE c.error_code END,
    error_fields = CASE WHEN c.digest = g.digest THEN '{}' ELSE c.error_fields END,
    written_digest = CASE WHEN g.digest NOT IN ('mark', 'delete') THEN g.digest END,
    salesforce_id = CASE WHEN g.digest <> 'delete' THEN coalesce(nullif(g.salesforce_id, ''), c.salesforce_id) END,
    written_at = now()
FROM unnest($2::text[], $3::text[], $4::text[]) AS g (m3ter_id, digest, salesforce_id)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND (c.digest = g.digest OR c.status = 'WAITING');

-- deleted --
-- Gone from Salesforce too
DELETE FROM entity_copies c USING unnest($2::text[]) AS g (m3ter_id)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.digest = 'delete';

-- adopt --
-- Forgotten while it was on its way, and now there: the next scan finds it gone, or maps it anew
INSERT INTO entity_copies (integration_id, m3ter_id, account_id, version, mapped_with, digest, written_digest,
    salesforce_id, status, action, written_at)
SELECT $1, g.m3ter_id, '', 0, '', g.digest, g.digest, g.salesforce_id, 'WRITTEN', 'upsert', now()
FROM unnest($2::text[], $3::text[], $4::text[]) AS g (m3ter_id, digest, salesforce_id)
WHERE g.digest NOT IN ('mark', 'delete') AND g.salesforce_id <> ''
ORDER BY g.m3ter_id
ON CONFLICT DO NOTHING;

-- refused --
-- Not tried again by itself. $2 ids, $3 digests, $4 codes, $5 messages, $6 fields, comma-separated
UPDATE entity_copies c SET status = 'REFUSED', attempts = c.attempts + 1, error = g.message, error_code = g.code,
    error_fields = string_to_array(g.fields, ',')
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS g (m3ter_id, digest, code, message, fields)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.digest = g.digest AND c.status = 'WAITING';

-- adopt_orphans --
-- $3 were created: what the integrations $2 have of their accounts and lacks a parent may have it now. One that is
-- locked is being dealt with.
UPDATE entity_copies c SET due_at = now()
FROM (
    SELECT k.integration_id, k.m3ter_id FROM entity_copies k
    WHERE k.integration_id = ANY($2::uuid[]) AND k.status = 'WAITING' AND k.is_orphan AND k.due_at > now()
      AND (k.integration_id = $1
        OR k.account_id IN (SELECT p.account_id FROM entity_copies p
            WHERE p.integration_id = $1 AND p.m3ter_id = ANY($3::text[])))
    ORDER BY k.integration_id, k.m3ter_id
    FOR NO KEY UPDATE OF k SKIP LOCKED
) AS orphans
WHERE c.integration_id = orphans.integration_id AND c.m3ter_id = orphans.m3ter_id;

-- postponed --
-- Tried again later. Those that lack a parent go by a common clock, which ticks once in the delay, and are due at the
-- first tick after half of it: each at a time of its own, they would cost a call each instead of one for 200. Whoever
-- has waited for a parent begins to count its attempts once that is there. $2 ids, $3 digests, $4 codes, $5 messages,
-- $6 delays, $7 whether it lacks a parent
UPDATE entity_copies c SET
    due_at = CASE WHEN g.is_orphan THEN date_bin(g.delay, now() + g.delay / 2, 'epoch') + g.delay
        ELSE now() + g.delay END,
    attempts = CASE WHEN c.is_orphan AND NOT g.is_orphan THEN 1 ELSE c.attempts + 1 END,
    error = g.message, error_code = g.code, error_fields = '{}', is_orphan = g.is_orphan
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::interval[], $7::boolean[])
    AS g (m3ter_id, digest, code, message, delay, is_orphan)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.digest = g.digest AND c.status = 'WAITING';

-- troubled --
-- Held: those that were refused or wait for another attempt; $2 ids or null for all
SELECT m3ter_id FROM entity_copies
WHERE integration_id = $1 AND error IS NOT NULL AND ($2::text[] IS NULL OR m3ter_id = ANY($2::text[]))
ORDER BY m3ter_id FOR NO KEY UPDATE;

-- retry --
-- A person says so
UPDATE entity_copies SET status = 'WAITING', due_at = now(), attempts = 0
WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]) AND error IS NOT NULL;

-- announce --
-- Wake who writes them when this commits
SELECT pg_notify('m3sync_entity_runs', '');

-- issues --
-- What Salesforce refused first, then what it did not take at the last attempt. $1 integration or null, $2 how many
SELECT c.integration_id, i.name AS integration_name, s.entity_type, s.namespace, c.m3ter_id, c.account_id,
    c.salesforce_id, c.status, c.action, c.version, c.attempts, c.due_at, c.changed_at, c.written_at,
    c.error_code AS code, coalesce(c.error, '') AS message, c.error_fields AS fields
FROM entity_copies c JOIN integrations i USING (integration_id) JOIN entity_syncs s USING (integration_id)
WHERE c.error IS NOT NULL AND ($1::uuid IS NULL OR c.integration_id = $1)
ORDER BY c.status = 'WAITING', c.changed_at DESC, c.m3ter_id
LIMIT $2;

-- of_record --
-- Every copy of an entity, by its m3ter id or by that of its record
SELECT c.integration_id, i.name AS integration_name, s.entity_type, s.namespace, c.m3ter_id, c.account_id,
    c.salesforce_id, c.status, c.action, c.version, c.attempts, c.due_at, c.changed_at, c.written_at,
    c.error_code AS code, coalesce(c.error, '') AS message, c.error_fields AS fields
FROM entity_copies c JOIN integrations i USING (integration_id) JOIN entity_syncs s USING (integration_id)
WHERE c.m3ter_id = $1 OR c.salesforce_id = $1
ORDER BY i.name, c.m3ter_id;

-- census --
-- All copies, counted one by one
SELECT status, count(*) AS number FROM entity_copies WHERE integration_id = $1 GROUP BY status;

-- backlogs --
-- What is not in Salesforce, by the indexes of just these. How old it is tells no copy that a scan looks at first
SELECT s.integration_id, w.waiting, w.due, w.oldest_changed_at, t.retrying, t.refused
FROM entity_syncs s,
    LATERAL (SELECT count(*) AS waiting, count(*) FILTER (WHERE c.due_at <= now()) AS due,
        min(c.changed_at) FILTER (WHERE c.due_at < 'infinity') AS oldest_changed_at FROM entity_copies c
        WHERE c.integration_id = s.integration_id AND c.status = 'WAITING') AS w,
    LATERAL (SELECT count(*) FILTER (WHERE c.status = 'WAITING') AS retrying,
        count(*) FILTER (WHERE c.status = 'REFUSED') AS refused FROM entity_copies c
        WHERE c.integration_id = s.integration_id AND c.error IS NOT NULL) AS t;
