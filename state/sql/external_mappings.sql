-- External mappings: which Salesforce record is which m3ter entity.

-- find --
-- The entity of one record
SELECT m3ter_org_id, m3ter_entity, external_table, external_id, m3ter_id, external_mapping_id
FROM external_mappings
WHERE m3ter_org_id = $1 AND m3ter_entity = $2 AND external_table = $3 AND external_id = $4;

-- of_records --
-- Everything some records are in m3ter, in any organization
SELECT m3ter_org_id, m3ter_entity, external_table, external_id, m3ter_id, external_mapping_id
FROM external_mappings WHERE external_id = ANY($1::text[])
ORDER BY external_id, m3ter_org_id, m3ter_entity;

-- is_older --
-- Whether a record has been this entity for longer than $6
SELECT updated_at < now() - $6::interval
FROM external_mappings
WHERE m3ter_org_id = $1 AND m3ter_entity = $2 AND external_table = $3 AND external_id = $4 AND m3ter_id = $5;

-- put --
-- Write or overwrite; m3ter's own mapping id stays while the entity is the same
INSERT INTO external_mappings
    (m3ter_org_id, m3ter_entity, external_table, external_id, m3ter_id, external_mapping_id)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (m3ter_org_id, m3ter_entity, external_table, external_id) DO UPDATE SET
    m3ter_id = excluded.m3ter_id,
    external_mapping_id = CASE WHEN external_mappings.m3ter_id = excluded.m3ter_id
        THEN coalesce(excluded.external_mapping_id, external_mappings.external_mapping_id)
        ELSE excluded.external_mapping_id END,
    updated_at = now();

-- forget --
-- The entity is gone from m3ter
DELETE FROM external_mappings
WHERE m3ter_org_id = $1 AND m3ter_entity = $2 AND external_table = $3 AND external_id = $4;

-- holders --
-- Which records hold these entities
SELECT m3ter_id, external_table, external_id FROM external_mappings
WHERE m3ter_org_id = $1 AND m3ter_entity = $2 AND m3ter_id = ANY($3::text[])
ORDER BY m3ter_id, external_table, external_id;
