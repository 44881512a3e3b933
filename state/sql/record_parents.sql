-- Which record a line belonged to when last read.

-- remember --
-- Lines and their parents, all at once
INSERT INTO record_parents (org_id, record_id, parent_id)
SELECT DISTINCT ON (p.record_id) $1::text, p.record_id, p.parent_id
FROM unnest($2::text[], $3::text[]) AS p (record_id, parent_id)
ORDER BY p.record_id
ON CONFLICT (org_id, record_id) DO UPDATE SET parent_id = excluded.parent_id, seen_at = now();

-- parents_of --
-- Of those lines that were ever read
SELECT record_id, parent_id FROM record_parents WHERE org_id = $1 AND record_id = ANY($2::text[]);
