-- name: audit_expected
-- Which reminders appointments and rules promise, by PostgreSQL's own calendar, against the intents
-- that are there, in both directions.
WITH derived AS (
    SELECT d.practice_id, d.appointment_id, d.rule_id, d.phone, d.starts_at, d.local_day
    FROM promised d
    WHERE d.shard = $1
      -- What lies beyond the horizon is planned later.
      AND (d.unplanned_from IS NULL OR d.local_day < d.unplanned_from)
      -- What was due before that was dropped.
      AND d.local_day >= (SELECT from_day FROM retention WHERE partitioned = 'intent')
), present AS (
    SELECT p.practice_id, p.appointment_id, p.rule_id, p.phone, p.starts_at, p.due_day, p.due_at,
           p.state, p.nth
    FROM planned p
    WHERE p.shard = $1
), compared AS (
    SELECT coalesce(d.practice_id, p.practice_id) AS practice_id,
           coalesce(d.appointment_id, p.appointment_id) AS appointment_id,
           coalesce(d.rule_id, p.rule_id) AS rule_id,
           CASE WHEN p.practice_id IS NULL
                     AND NOT became_text($1, d.practice_id, d.appointment_id, d.rule_id,
                                         d.starts_at) THEN 'missing'
                WHEN p.nth > 1 THEN 'surplus'
                WHEN p.state = 'p' AND d.practice_id IS NULL
                     AND NOT was_due($1, p.practice_id, p.appointment_id, p.rule_id, p.phone,
                                     p.starts_at, p.due_at) THEN 'surplus'
           END AS wrong
    FROM derived d
    FULL JOIN present p
      ON p.practice_id = d.practice_id
     AND p.appointment_id = d.appointment_id
     AND p.rule_id = d.rule_id
     AND p.phone = d.phone
     AND p.starts_at = d.starts_at
     AND p.due_day = d.local_day
)
SELECT count(*) AS cases,
       count(wrong) AS violations,
       (array_agg(format('%s: practice %s appointment %s rule %s', wrong, practice_id,
                         appointment_id, rule_id))
            FILTER (WHERE wrong IS NOT NULL))[1:10] AS examples
FROM compared
