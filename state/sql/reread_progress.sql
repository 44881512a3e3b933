-- How far windows are that somebody follows.

-- progress --
-- Of these windows, in the order in which they were opened
SELECT r.reread_id, n.name AS integration_name, r.object_name, r.cause, r.from_at, r.until_at, r.status, r.phase,
    r.records_read, r.records_put, r.total, i.waiting, i.postponed, i.set_aside,
    (SELECT count(*) FROM reread_differences d WHERE d.reread_id = r.reread_id) AS differences,
    r.error, r.instruction, r.due_at
FROM rereads r JOIN integrations n USING (integration_id),
    LATERAL (
        SELECT count(*) FILTER (WHERE status <> 'SET_ASIDE') AS waiting,
            count(*) FILTER (WHERE status = 'WAITING' AND error IS NOT NULL) AS postponed,
            count(*) FILTER (WHERE status = 'SET_ASIDE') AS set_aside
        FROM inbox b WHERE b.reread_id = r.reread_id
    ) AS i
WHERE r.reread_id = ANY($1::uuid[])
ORDER BY r.opened_at, r.object_name, r.reread_id;
