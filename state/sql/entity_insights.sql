-- What people and metrics ask of the entity data syncs; nothing here writes.

-- moments --
-- When each integration last ended a run well, and when one that had read everything
SELECT s.integration_id, i.name,
    max(r.completed_at) AS completed_at, max(r.completed_at) FILTER (WHERE r.is_scanned) AS scanned_at
FROM entity_syncs s JOIN integrations i USING (integration_id)
LEFT JOIN entity_runs r ON r.integration_id = s.integration_id AND r.status = 'COMPLETE'
GROUP BY s.integration_id, i.name;

-- totals --
-- The counters of all ended runs
SELECT i.name, t.kind, t.label, t.total FROM totals t JOIN integrations i USING (integration_id)
WHERE t.kind IN ('entity', 'entity call');
