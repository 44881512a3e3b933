-- Which record a line belonged to when last read.

-- remember --
-- Lines and their parents as one integration sees them, all at once. $4 since when the answer was asked for that says
-- so: what was learned of another parent since then is newer. Null: it is news
INSERT INTO record_parents (integration_id, record_id, parent_id)
SELECT DISTINCT ON (p.record_id) $1::uuid, p.record_id, p.parent_id
FROM unnest($2::text[], $3::text[]) AS p (record_id, parent_id)
ORDER BY p.record_id
ON CONFLICT (integration_id, record_id) DO UPDATE SET parent_id = excluded.parent_id, seen_at = now()
    WHERE $4::timestamptz IS NULL OR record_parents.parent_id = excluded.parent_id OR record_parents.seen_at <= $4;

-- parents_of --
-- Of those lines that were ever read
SELECT record_id, parent_id FROM record_parents WHERE integration_id = $1 AND record_id = ANY($2::text[]);

-- lines_of --
-- The lines that belonged to one record
SELECT record_id FROM record_parents WHERE integration_id = $1 AND parent_id = $2;

-- ids_after --
-- The next of all lines in the order of their ids; not those without which their parent was synced since (that dealt
-- with their being gone), nor those of another org than $2
SELECT p.record_id FROM record_parents p
WHERE p.integration_id = $1 AND p.record_id > $3
  AND NOT EXISTS (
      SELECT FROM record_states s
      WHERE s.integration_id = $1 AND s.record_id = p.parent_id
        AND (s.updated_at > p.seen_at OR s.org_id NOT IN ($2, ''))
  )
ORDER BY p.record_id LIMIT $4;
