-- Checkpoints: how far each channel has durably got for each integration.

-- get --
-- Of some channels of one integration in one org
SELECT channel, replay_id, since, complete_until FROM checkpoints
WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND channel = ANY($4::text[]);

-- begin --
-- Channels wanted for the first time, from when they could be: the integration's going live; for one that its
-- field mapping came to need later, the first import since a stream went by it; for one of another org, the connecting
-- to it. $5 how far Salesforce's clock is ahead of the database's
INSERT INTO checkpoints (integration_id, org_id, transport, channel, since, complete_until)
SELECT i.integration_id, $2, $3, w.channel, b.since, b.since
FROM integrations i JOIN field_mappings f USING (field_mapping_id), unnest($4::text[]) AS w (channel),
    LATERAL (SELECT $5::interval + CASE
        WHEN NOT EXISTS (SELECT FROM checkpoints c WHERE c.integration_id = $1) THEN coalesce(i.live_at, now())
        WHEN EXISTS (SELECT FROM checkpoints c WHERE c.integration_id = $1 AND c.org_id = $2 AND c.transport = $3)
            THEN greatest(i.live_at, coalesce(i.remapped_at, f.updated_at))
        ELSE greatest(i.live_at, i.connected_at) END AS since) AS b
WHERE i.integration_id = $1
ORDER BY w.channel
ON CONFLICT (integration_id, org_id, transport, channel) DO NOTHING;

-- take_over --
-- New channels ($5) go on from where those were that are wanted no more (of all but $4)
UPDATE checkpoints AS k SET
    since = least(k.since, g.since),
    complete_until = least(k.complete_until, g.complete_until),
    updated_at = now()
FROM (
    SELECT min(since) AS since, min(complete_until) AS complete_until FROM checkpoints
    WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND channel <> ALL($4::text[])
) AS g
WHERE k.integration_id = $1 AND k.org_id = $2 AND k.transport = $3 AND k.channel = ANY($5::text[])
  AND g.since IS NOT NULL;

-- forget --
-- The places of channels that are wanted no more (all but $4)
DELETE FROM checkpoints
WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND channel <> ALL($4::text[]);

-- followed --
-- A stream goes by revision $2 of the field mapping: all that it wants has begun. Whoever writes a later one waits
UPDATE integrations i SET remapped_at = NULL
FROM (
    SELECT f.field_mapping_id FROM field_mappings f JOIN integrations USING (field_mapping_id)
    WHERE integration_id = $1 AND f.revision = $2
    FOR SHARE OF f
) AS f
WHERE i.integration_id = $1 AND i.field_mapping_id = f.field_mapping_id AND i.remapped_at IS NOT NULL;

-- objects --
-- Up to when each object is known
SELECT object_name, complete_until, unsure_from FROM object_checkpoints
WHERE integration_id = $1 AND org_id = $2 AND transport = $3;

-- begin_objects --
-- Objects that were not watched before ($4), from where the channels ($5) that tell of them are complete. Where others
-- were, these channels were heard and passed over it: from the import that wants it. $6 as $5 of begin
INSERT INTO object_checkpoints (integration_id, org_id, transport, object_name, complete_until)
SELECT $1, $2, $3, w.object_name, least(min(k.complete_until), (
    SELECT $6::interval + greatest(i.live_at, coalesce(i.remapped_at, f.updated_at))
    FROM integrations i JOIN field_mappings f USING (field_mapping_id)
    WHERE i.integration_id = $1
      AND EXISTS (SELECT FROM object_checkpoints WHERE integration_id = $1 AND org_id = $2 AND transport = $3)
))
FROM unnest($4::text[], $5::text[]) AS w (object_name, channel) JOIN checkpoints k USING (channel)
WHERE k.integration_id = $1 AND k.org_id = $2 AND k.transport = $3
GROUP BY w.object_name
ORDER BY w.object_name
ON CONFLICT (integration_id, org_id, transport, object_name) DO NOTHING
RETURNING object_name, complete_until;

-- forget_objects --
-- Those that are watched no more (all but $4)
DELETE FROM object_checkpoints
WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND object_name <> ALL($4::text[]);

-- now --
-- The database's clock
SELECT clock_timestamp();

-- advance --
-- To the given replay ids, all channels at once, in order so that two daemons never deadlock
UPDATE checkpoints AS k SET
    replay_id = c.replay_id,
    event_at = coalesce(c.event_at, k.event_at),
    complete_until = greatest(k.complete_until, c.event_at),
    updated_at = now()
FROM (
    SELECT c.*
    FROM unnest($4::text[], $5::text[], $6::timestamptz[]) AS c (channel, replay_id, event_at)
    JOIN checkpoints k USING (channel)
    WHERE k.integration_id = $1 AND k.org_id = $2 AND k.transport = $3
    ORDER BY c.channel
    FOR UPDATE OF k
) AS c
WHERE k.integration_id = $1 AND k.org_id = $2 AND k.transport = $3 AND k.channel = c.channel;

-- complete --
-- Raise up to when channels are complete, never lower it; in the same order. $5 until
UPDATE checkpoints AS k SET complete_until = $5, updated_at = now()
FROM (
    SELECT channel FROM checkpoints
    WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND channel = ANY($4::text[])
      AND complete_until < $5
    ORDER BY channel
    FOR UPDATE
) AS c
WHERE k.integration_id = $1 AND k.org_id = $2 AND k.transport = $3 AND k.channel = c.channel
  AND k.complete_until < $5;

-- complete_objects --
-- The same of objects, in their order, after the channels. $5 until, of each; $6 unsure from, of all
UPDATE object_checkpoints AS o SET complete_until = c.until, unsure_from = $6
FROM (
    SELECT c.* FROM unnest($4::text[], $5::timestamptz[]) AS c (object_name, until)
    JOIN object_checkpoints o USING (object_name)
    WHERE o.integration_id = $1 AND o.org_id = $2 AND o.transport = $3
    ORDER BY c.object_name
    FOR UPDATE OF o
) AS c
WHERE o.integration_id = $1 AND o.org_id = $2 AND o.transport = $3 AND o.object_name = c.object_name
  AND o.complete_until <= c.until;

-- read_objects --
-- Objects ($4) of which all is in windows until $5; of one that was silent, what is stamped from $6 on may come later
UPDATE object_checkpoints AS o SET complete_until = $5,
    unsure_from = CASE WHEN o.unsure_from IS NOT NULL THEN greatest(o.unsure_from, $6) END
FROM (
    SELECT object_name FROM object_checkpoints
    WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND object_name = ANY($4::text[])
    ORDER BY object_name
    FOR UPDATE
) AS c
WHERE o.integration_id = $1 AND o.org_id = $2 AND o.transport = $3 AND o.object_name = c.object_name
  AND o.complete_until <= $5;
