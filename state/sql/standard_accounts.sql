-- Standard accounts: which Salesforce Account each m3ter account is, as m3ter's external mappings said when last read.

-- now --
-- The clock by which they are seen
SELECT clock_timestamp();

-- put --
-- m3ter says so of $2, that they are $3; in one order, so that nobody waits for another in a circle
INSERT INTO standard_accounts (m3ter_org_id, m3ter_id, salesforce_id, seen_at)
SELECT $1, g.m3ter_id, g.salesforce_id, clock_timestamp()
FROM (SELECT DISTINCT * FROM unnest($2::text[], $3::text[]) AS g (m3ter_id, salesforce_id)) g
ORDER BY g.m3ter_id, g.salesforce_id
ON CONFLICT (m3ter_org_id, m3ter_id, salesforce_id) DO UPDATE SET seen_at = excluded.seen_at;

-- unseen --
-- The first accounts after $4, as many as m3ter is asked for in one call, of which it did not say something again
-- since $2: among $3, of all for null
SELECT DISTINCT m3ter_id FROM standard_accounts
WHERE m3ter_org_id = $1 AND seen_at < $2 AND ($3::text[] IS NULL OR m3ter_id = ANY($3)) AND m3ter_id > $4
ORDER BY m3ter_id LIMIT 100;

-- forget_unseen --
-- m3ter did not say so of $3 since $2
DELETE FROM standard_accounts
WHERE m3ter_org_id = $1 AND seen_at < $2 AND m3ter_id = ANY($3::text[]);

-- known --
-- The Account of each of $2: of several the first by id, so that it stays the same, and none that is known to be
-- gone. What m3ter says goes before what only m3sync remembers.
SELECT DISTINCT ON (said.m3ter_id) said.m3ter_id, said.salesforce_id
FROM (
    SELECT m3ter_id, salesforce_id, 1 AS place FROM standard_accounts
    WHERE m3ter_org_id = $1 AND m3ter_id = ANY($2::text[])
    UNION ALL
    SELECT m3ter_id, external_id, 2 FROM external_mappings
    WHERE m3ter_org_id = $1 AND m3ter_id = ANY($2::text[])
      AND m3ter_entity = 'Account' AND external_table = 'Account'
) said
WHERE NOT EXISTS (SELECT FROM record_states r WHERE r.record_id = said.salesforce_id AND r.is_gone)
ORDER BY said.m3ter_id, said.place, said.salesforce_id;

-- gone --
-- Salesforce says so to $1 of $2
INSERT INTO record_states (integration_id, record_id, criterion_held, is_gone)
SELECT $1, g.record_id, false, true FROM unnest($2::text[]) AS g (record_id)
ORDER BY g.record_id ON CONFLICT DO NOTHING;

-- forget_unnamed --
-- Of what was said so to any entity data sync in the org of $1, those that no m3ter account is any more
DELETE FROM record_states WHERE (integration_id, record_id) IN (
    SELECT r.integration_id, r.record_id
    FROM entity_syncs s JOIN entity_syncs o USING (salesforce_org_id) JOIN record_states r ON r.integration_id = o.integration_id
    WHERE s.integration_id = $1 AND r.is_gone
      AND NOT EXISTS (SELECT FROM standard_accounts a WHERE a.salesforce_id = r.record_id)
      AND NOT EXISTS (SELECT FROM external_mappings m WHERE m.external_id = r.record_id
          AND m.m3ter_entity = 'Account' AND m.external_table = 'Account')
    ORDER BY r.integration_id, r.record_id
    FOR UPDATE OF r
);

-- gone_after --
-- The first $3 of the others after the id $2
SELECT DISTINCT r.record_id
FROM entity_syncs s JOIN entity_syncs o USING (salesforce_org_id) JOIN record_states r ON r.integration_id = o.integration_id
WHERE s.integration_id = $1 AND r.record_id > $2 AND r.is_gone
ORDER BY r.record_id LIMIT $3;

-- back --
-- Of those $2 are there again
DELETE FROM record_states WHERE (integration_id, record_id) IN (
    SELECT r.integration_id, r.record_id
    FROM entity_syncs s JOIN entity_syncs o USING (salesforce_org_id) JOIN record_states r ON r.integration_id = o.integration_id
    WHERE s.integration_id = $1 AND r.record_id = ANY($2::text[])
    ORDER BY r.integration_id, r.record_id
    FOR UPDATE OF r
);
