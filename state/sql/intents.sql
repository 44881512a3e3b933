-- Intents: creates that were about to be sent (README, promise 3).

-- open --
-- A new intent, or the one still open with what it is going to send now; earlier bodies stay
INSERT INTO intents (m3ter_org_id, m3ter_entity, external_table, external_id, body)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (m3ter_org_id, m3ter_entity, external_table, external_id) WHERE status = 'OPEN' DO UPDATE SET
    body = excluded.body,
    earlier_bodies = CASE WHEN intents.body = excluded.body OR intents.body = ANY(intents.earlier_bodies)
        THEN intents.earlier_bodies ELSE intents.earlier_bodies || intents.body END
RETURNING intent_id, m3ter_org_id, m3ter_entity, external_table, external_id, body, earlier_bodies, status,
    m3ter_id, created_at, closed_at;

-- find_open --
-- The open intent of one record and entity
SELECT intent_id, m3ter_org_id, m3ter_entity, external_table, external_id, body, earlier_bodies, status,
    m3ter_id, created_at, closed_at
FROM intents
WHERE m3ter_org_id = $1 AND m3ter_entity = $2 AND external_table = $3 AND external_id = $4 AND status = 'OPEN';

-- of_records --
-- Open intents of some records
SELECT intent_id, m3ter_org_id, m3ter_entity, external_table, external_id, body, earlier_bodies, status,
    m3ter_id, created_at, closed_at
FROM intents WHERE external_id = ANY($1::text[]) AND status = 'OPEN'
ORDER BY created_at;

-- get --
-- By id
SELECT intent_id, m3ter_org_id, m3ter_entity, external_table, external_id, body, earlier_bodies, status,
    m3ter_id, created_at, closed_at
FROM intents WHERE intent_id = $1;

-- close --
-- What became of it. $4 the statuses that may become $2
UPDATE intents SET status = $2, m3ter_id = $3, closed_at = now()
WHERE intent_id = $1 AND status = ANY($4::text[]);
