-- name: audit_groups
-- No appointment is told twice under one rule for one and the same start.
WITH told AS (
    SELECT m.practice_id, a.appointment_id, m.rule_id, a.starts_at, count(*) AS texts
    FROM message m
    CROSS JOIN LATERAL unnest(m.appointment_ids, m.starts_at) AS a(appointment_id, starts_at)
    WHERE m.shard = $1
      AND m.state IN ('s', 'a')
    GROUP BY m.practice_id, a.appointment_id, m.rule_id, a.starts_at
)
SELECT count(*) AS cases,
       count(*) FILTER (WHERE texts > 1) AS violations,
       (array_agg(format('practice %s appointment %s rule %s: %s texts', practice_id,
                         appointment_id, rule_id, texts))
            FILTER (WHERE texts > 1))[1:10] AS examples
FROM told
