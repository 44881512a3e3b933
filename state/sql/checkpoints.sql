-- Checkpoints: how far each channel has durably got.

-- get --
-- Of some channels of one org
SELECT channel, replay_id FROM checkpoints
WHERE org_id = $1 AND transport = $2 AND channel = ANY($3::text[]);

-- advance --
-- To the given replay ids, all channels at once, in order so that two daemons never deadlock
INSERT INTO checkpoints (org_id, transport, channel, replay_id, event_at)
SELECT $1, $2, c.channel, c.replay_id, c.event_at
FROM unnest($3::text[], $4::text[], $5::timestamptz[]) AS c (channel, replay_id, event_at)
ORDER BY c.channel
ON CONFLICT (org_id, transport, channel) DO UPDATE SET
    replay_id = excluded.replay_id,
    event_at = coalesce(excluded.event_at, checkpoints.event_at),
    updated_at = now();

-- forget --
-- The replay id is refused: begin anew
DELETE FROM checkpoints WHERE org_id = $1 AND transport = $2 AND channel = ANY($3::text[]);
