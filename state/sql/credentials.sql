-- Credentials: shown by their summary, kept sealed.

-- add --
-- A new credential; nothing when the name is taken
INSERT INTO credentials (name, system, summary, sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO NOTHING
RETURNING credential_id, name, system, summary, authorized_at, error, created_at, updated_at;

-- replace --
-- Another secret under the same name and system; whether it works is to be found out
UPDATE credentials SET summary = $3, sealed = $4, authorized_at = NULL, error = NULL, updated_at = now()
WHERE name = $1 AND system = $2
RETURNING credential_id, name, system, summary, authorized_at, error, created_at, updated_at;

-- lock --
-- Its sealed secret, which nobody changes before this transaction ends
SELECT name, system, sealed FROM credentials WHERE credential_id = $1 FOR UPDATE;

-- rotate --
-- The system gave another token in exchange for the one it had
UPDATE credentials SET sealed = $2, authorized_at = now(), error = NULL, updated_at = now()
WHERE credential_id = $1;

-- try_alone --
-- One process at a time, for as long as its session holds it
SELECT pg_try_advisory_lock(hashtextextended('m3sync credential ' || $1::uuid::text, 0));

-- not_alone --
-- Let the next one in
SELECT pg_advisory_unlock(hashtextextended('m3sync credential ' || $1::uuid::text, 0));

-- get --
-- By name or id
SELECT credential_id, name, system, summary, authorized_at, error, created_at, updated_at, sealed
FROM credentials WHERE name = $1 OR credential_id::text = lower($1)
ORDER BY name = $1 DESC LIMIT 1;

-- list_all --
-- All, by name
SELECT credential_id, name, system, summary, authorized_at, error, created_at, updated_at
FROM credentials ORDER BY name;

-- mark_authorized --
-- The system accepted it
UPDATE credentials SET authorized_at = now(), error = NULL, updated_at = now() WHERE credential_id = $1;

-- mark_refused --
-- The system refused it, in its own words
UPDATE credentials SET error = $2, updated_at = now() WHERE credential_id = $1;

-- remove --
-- Forget it
DELETE FROM credentials WHERE credential_id = $1;

-- announce --
-- Whoever runs integrations looks again
SELECT pg_notify('m3sync_integrations', '');
