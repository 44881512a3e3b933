-- Which Salesforce records hold the parents of an entity data sync's entities.

-- records --
-- Of the entities $2 those that the integrations $1 have in one record and no other
SELECT m3ter_id, min(salesforce_id) AS salesforce_id FROM entity_copies
WHERE integration_id = ANY($1::uuid[]) AND m3ter_id = ANY($2::text[]) AND salesforce_id IS NOT NULL
GROUP BY m3ter_id
HAVING min(salesforce_id) = max(salesforce_id);
