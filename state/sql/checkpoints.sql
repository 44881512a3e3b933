-- Checkpoints: how far each channel has durably got for each integration.

-- get --
-- Of some channels of one integration in one org
SELECT channel, replay_id, since, complete_until FROM checkpoints
WHERE integration_id = $1 AND org_id = $2 AND transport = $3 AND channel = ANY($4::text[]);

-- begin --
-- Channels wanted for the first time, from when they could be: the integration's going live; for one that its
-- field mapping came to need later, the import of that; for one of another org, the connecting to it. $5 how far
-- Salesforce's clock is ahead of the database's
INSERT INTO checkpoints (integration_id, org_id, transport, channel, since, complete_until)
SELECT i.integration_id, $2, $3, w.channel, b.since, b.since
FROM integrations i JOIN field_mappings f USING (field_mapping_id), unnest($4::text[]) AS w (channel),
    LATERAL (SELECT $5::interval + CASE
        WHEN NOT EXISTS (SELECT FROM checkpoints c WHERE c.integration_id = $1) THEN coalesce(i.live_at, now())
        WHEN EXISTS (SELECT FROM checkpoints c WHERE c.integration_id = $1 AND c.org_id = $2 AND c.transport = $3)
            THEN greatest(i.live_at, f.updated_at)
        ELSE greatest(i.live_at, i.updated_at) END AS since) AS b
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
