-- Records that ping-pong between the two systems, and until when they are left alone.

-- standing --
-- One record of one integration: how long its pause still lasts with what was said of it (null: none), and how
-- many of its syncs wrote to m3ter within $3, since its last pause and not by a person's wish
SELECT b.until_at - now() AS pause_left, b.message,
    (SELECT count(*) FROM runs r
     WHERE r.record_id = $2 AND r.integration_id = $1 AND r.cause <> 'manual'
       AND r.started_at > greatest(now() - $3::interval, last.until_at)
       AND EXISTS (SELECT FROM run_objects o WHERE o.run_id = r.run_id AND o.action IN ('created', 'updated'))
    ) AS writes
FROM (SELECT max(until_at) AS until_at FROM brakes WHERE integration_id = $1 AND record_id = $2) AS last
LEFT JOIN brakes b ON b.integration_id = $1 AND b.record_id = $2 AND b.until_at > now();

-- put --
-- Leave the record alone for $3
INSERT INTO brakes (integration_id, record_id, until_at, message)
VALUES ($1, $2, now() + $3::interval, $4)
ON CONFLICT (integration_id, record_id) DO UPDATE
    SET braked_at = now(), until_at = excluded.until_at, message = excluded.message;

-- authors --
-- Who changed the record and its lines within $3, from where and how often, the most frequent first
SELECT commit_user, change_origin, count(*) AS changes
FROM change_events
WHERE received_at > now() - $3::interval
  AND record_id IN (SELECT $2 UNION ALL
                    SELECT record_id FROM record_parents WHERE parent_id = $2 AND integration_id = $1)
GROUP BY commit_user, change_origin
ORDER BY changes DESC, commit_user, change_origin
LIMIT 4;
