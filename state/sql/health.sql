-- What each part last said of itself.

-- report --
-- Keep the latest word; gives whether it differs from the one before
WITH before AS (
    SELECT is_well FROM health WHERE subject = $1
), said AS (
    INSERT INTO health (subject, is_well, message, instruction) VALUES ($1, $2, $3, $4)
    ON CONFLICT (subject) DO UPDATE SET
        is_well = excluded.is_well,
        message = excluded.message,
        instruction = excluded.instruction,
        since = CASE WHEN health.is_well = excluded.is_well THEN health.since ELSE now() END,
        reported_at = now()
)
SELECT is_well IS DISTINCT FROM $2 FROM (SELECT (SELECT is_well FROM before)) AS known (is_well);

-- all --
-- Every part's latest word, the ailing first
SELECT subject, is_well, message, instruction, since, reported_at FROM health ORDER BY is_well, subject;

-- forget --
-- The part is no more
DELETE FROM health WHERE subject = $1;
