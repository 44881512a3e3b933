-- Which Salesforce records hold the parents of an entity data sync's entities.

-- records --
-- Of the entities $3 of type $2, those whose copy beside that of the integration $1, in the same org and namespace, is
-- one record and no other
SELECT c.m3ter_id, min(c.salesforce_id) AS salesforce_id
FROM entity_syncs mine JOIN integrations own USING (integration_id)
    JOIN entity_syncs s ON s.entity_type = $2 AND s.namespace = mine.namespace
    JOIN integrations i ON i.integration_id = s.integration_id
        AND i.salesforce_credential_id = own.salesforce_credential_id
    JOIN entity_copies c ON c.integration_id = s.integration_id
WHERE mine.integration_id = $1 AND c.m3ter_id = ANY($3::text[]) AND c.salesforce_id IS NOT NULL
GROUP BY c.m3ter_id
HAVING min(c.salesforce_id) = max(c.salesforce_id);
