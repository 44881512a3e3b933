-- Which entity data syncs have their copies side by side.

-- siblings --
-- Those with copies in the same namespace and Salesforce org as $1, itself among them, by id. Many credentials may lead
-- to one org. What is switched on goes where its credential leads, though its copies may be from elsewhere yet.
SELECT s.integration_id, s.entity_type, i.enabled AS is_enabled, s.entity_type = mine.entity_type AS has_same_records
FROM entity_syncs mine JOIN integrations own USING (integration_id)
    JOIN entity_syncs s ON s.namespace = mine.namespace
    JOIN integrations i ON i.integration_id = s.integration_id
WHERE mine.integration_id = $1
  AND (s.salesforce_org_id = mine.salesforce_org_id
    OR (i.salesforce_credential_id = own.salesforce_credential_id
      AND (i.enabled OR mine.salesforce_org_id IS NULL)))
ORDER BY s.integration_id;
