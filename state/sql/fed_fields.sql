-- Fed fields: what an org describes of the fields that custom fields feed.

-- get --
-- Described for $2, and since $3
SELECT fields FROM fed_fields
WHERE integration_id = $1 AND described_for = $2 AND described_at > now() - $3::interval;

-- put --
-- As it was just described
INSERT INTO fed_fields (integration_id, described_for, fields) VALUES ($1, $2, $3)
ON CONFLICT (integration_id) DO UPDATE SET
    described_for = excluded.described_for, fields = excluded.fields, described_at = now();
