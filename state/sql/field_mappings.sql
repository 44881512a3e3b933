-- Field mapping documents.

-- save --
-- Write or overwrite; the revision grows only when the text differs
INSERT INTO field_mappings (name, document, sha256) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET
    document = excluded.document,
    sha256 = excluded.sha256,
    revision = field_mappings.revision + (field_mappings.sha256 <> excluded.sha256)::integer,
    updated_at = CASE WHEN field_mappings.sha256 <> excluded.sha256 THEN now() ELSE field_mappings.updated_at END
RETURNING field_mapping_id, name, document, sha256, revision, created_at, updated_at;

-- remap --
-- Its integrations may want other channels since this transaction wrote it; earlier ones, if no stream went by them yet
UPDATE integrations i SET remapped_at = now() FROM field_mappings f
WHERE f.field_mapping_id = $1 AND f.updated_at = now() AND i.field_mapping_id = f.field_mapping_id
  AND i.remapped_at IS NULL;

-- get --
-- By name or id
SELECT field_mapping_id, name, document, sha256, revision, created_at, updated_at
FROM field_mappings WHERE name = $1 OR field_mapping_id::text = lower($1)
ORDER BY name = $1 DESC LIMIT 1;

-- list_all --
-- All, by name
SELECT field_mapping_id, name, document, sha256, revision, created_at, updated_at
FROM field_mappings ORDER BY name;

-- remove --
-- Forget it
DELETE FROM field_mappings WHERE field_mapping_id = $1;

-- announce --
-- Whoever runs integrations looks again
SELECT pg_notify('m3sync_integrations', '');
