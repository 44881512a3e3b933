-- The history of the schema.

-- be_patient --
-- Steps may take longer than the deadline of ordinary statements
SET LOCAL statement_timeout = '15min';

-- lock --
-- One migrating daemon at a time on one database; released with the transaction
SELECT pg_advisory_xact_lock(hashtext('m3sync migrations'));

-- create_history --
-- Where applied migrations are remembered
CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- has_history --
-- Whether any migration was ever applied here
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- history --
-- What was applied, oldest first
SELECT version, name, sha256 FROM schema_migrations ORDER BY version;

-- remember --
-- Record an applied migration, in the transaction that applied it
INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3);
