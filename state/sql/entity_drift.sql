-- Copies beside what a person made of their records in Salesforce: looked at by dry runs, wanted anew by a restore.

-- held --
-- Those of $2 that are known, as they stand
SELECT m3ter_id, version, mapped_with, digest, written_digest, status, action, salesforce_id,
    coalesce(error, '') AS message
FROM entity_copies WHERE integration_id = $1 AND m3ter_id = ANY($2::text[]);

-- after --
-- The first $3 after the id $2
SELECT m3ter_id, version, mapped_with, digest, written_digest, status, action, salesforce_id,
    coalesce(error, '') AS message
FROM entity_copies WHERE integration_id = $1 AND m3ter_id > $2
ORDER BY m3ter_id LIMIT $3;

-- count --
-- How many there are
SELECT count(*) FROM entity_copies WHERE integration_id = $1;

-- want_anew --
-- Like nothing that is known, so that the next scan maps and writes them; what has changed since it was looked at is
-- left alone. $2 ids, $3 digests and $4 Salesforce ids as they were seen, $5 Salesforce ids now, null: the record is gone
UPDATE entity_copies c SET version = 0, mapped_with = '', digest = '', written_digest = NULL, salesforce_id = g.there
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS g (m3ter_id, digest, seen, there)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.action = 'upsert' AND c.status = 'WRITTEN'
  AND c.digest = g.digest AND c.salesforce_id IS NOT DISTINCT FROM g.seen;

-- mark_anew --
-- The mark of these was taken away; it says again when they went. Parameters as of want_anew
UPDATE entity_copies c SET status = 'WAITING', due_at = now(), attempts = 0, salesforce_id = g.there
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS g (m3ter_id, digest, seen, there)
WHERE c.integration_id = $1 AND c.m3ter_id = g.m3ter_id AND c.action = 'mark' AND c.status = 'WRITTEN'
  AND c.digest = g.digest AND c.salesforce_id IS NOT DISTINCT FROM g.seen;

-- lost_beside --
-- Held: the records $2 are gone from Salesforce. The integrations $1, which write to them too, have no record either,
-- and write their fields into the new ones.
UPDATE entity_copies SET version = 0, mapped_with = '', digest = '', written_digest = NULL, salesforce_id = NULL
WHERE integration_id = ANY($1::uuid[]) AND m3ter_id = ANY($2::text[]) AND action = 'upsert' AND status = 'WRITTEN';
