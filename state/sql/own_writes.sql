-- What m3sync is about to write to Salesforce, so that the change events of it are known for its own.

-- expect --
-- $1 org, $2 lifetime, then one array a column; the ids in the order given
INSERT INTO own_writes (org_id, object_name, record_id, key, change_type, fields, expires_at)
SELECT $1, w.object_name, w.record_id, w.key, w.change_type, w.fields, clock_timestamp() + $2::interval
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) WITH ORDINALITY
    AS w (object_name, record_id, key, change_type, fields, position)
ORDER BY w.position
RETURNING own_write_id;

-- meeting --
-- The writes that events of these records ($2), or creates with these keys ($3), may be of: those not spent,
-- and those that an event of these transactions ($4) was found to be the echo of, heard by another integration.
-- Locked in order, so that an expectation is used once and two daemons never deadlock.
SELECT own_write_id, object_name, record_id, key, change_type, fields, spent_by, was_echo
FROM own_writes
WHERE org_id = $1
  AND ((record_id <> '' AND record_id = ANY($2::text[])) OR (key <> '' AND key = ANY($3::text[])))
  AND ((spent_at IS NULL AND expires_at > now()) OR (was_echo AND spent_by = ANY($4::text[])))
ORDER BY own_write_id
FOR UPDATE;

-- spend --
-- $1 writes, $2 by which transactions, $3 whether as an echo
UPDATE own_writes w SET spent_at = now(), spent_by = s.spent_by, was_echo = s.was_echo
FROM unnest($1::bigint[], $2::text[], $3::boolean[]) AS s (own_write_id, spent_by, was_echo)
WHERE w.own_write_id = s.own_write_id;

-- withdraw --
-- They were not written after all
DELETE FROM own_writes WHERE own_write_id = ANY($1::bigint[]) AND spent_at IS NULL;

-- settle --
-- Syncs of these records ended: m3ter now has them as they were read, which may be from before our write. What
-- already came back goes too: another integration has yet to hear it.
DELETE FROM own_writes WHERE own_write_id IN (
    SELECT own_write_id FROM own_writes WHERE record_id <> '' AND record_id = ANY($1::text[])
    ORDER BY own_write_id FOR UPDATE
);

-- in_hand --
-- Those of $2 that are just being synced by the integration, themselves or the records that they are lines of
SELECT r.record_id FROM unnest($2::text[]) AS r (record_id)
WHERE EXISTS (
    SELECT FROM inbox i
    WHERE i.integration_id = $1 AND i.status = 'CLAIMED'
      AND (i.record_id = r.record_id
           OR i.record_id IN (SELECT p.parent_id FROM record_parents p
                              WHERE p.integration_id = $1 AND p.record_id = r.record_id))
);

-- forget --
-- Events of these objects may have been missed: what is expected of them can no longer be trusted, nor what already
-- came back, which another integration has yet to hear. A field mapping may spell an object in another case than a
-- write. Locked in the order of `meeting`
DELETE FROM own_writes WHERE own_write_id IN (
    SELECT own_write_id FROM own_writes WHERE org_id = $1 AND lower(object_name) = ANY($2::text[])
    ORDER BY own_write_id FOR UPDATE
);

-- count --
-- Add to the counters of one integration, in order so that two daemons never deadlock. $2 verdicts, $3 how many
INSERT INTO totals (integration_id, kind, label, total)
SELECT $1, 'echo', c.label, c.total FROM unnest($2::text[], $3::bigint[]) AS c (label, total) ORDER BY c.label
ON CONFLICT (integration_id, kind, label) DO UPDATE SET total = totals.total + excluded.total;
