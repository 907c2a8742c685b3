-- name: audit_expected
-- Derives from appointments and rules, by PostgreSQL's own calendar, which reminders must be there,
-- and compares with the intents in both directions. Nothing of the planner is used: an appointment
-- names the revision it was planned under and the domain time of that.
WITH derived AS (
    SELECT a.practice_id, a.appointment_id, r.rule_id, a.starts_at, w.within::date AS local_day
    FROM appointment a
    JOIN practice_revision v
      ON v.shard = $1 AND v.practice_id = a.practice_id AND v.revision = a.revision
    JOIN rule r
      ON r.shard = $1 AND r.practice_id = a.practice_id AND r.revision = a.revision
    CROSS JOIN LATERAL (
        -- Calendar days at the same wall time, then minutes.
        SELECT (a.starts_at AT TIME ZONE v.timezone) - make_interval(days => r.before_days)
               - make_interval(mins => r.before_minutes) AS exact
    ) AS e
    CROSS JOIN LATERAL (
        -- Into the practice's hours of that day.
        SELECT e.exact::date
               + least(greatest(e.exact::time, v.send_from), v.send_until - interval '1 second')
                   AS within,
               e.exact::date + (v.send_until - interval '1 second') AS closes
    ) AS w
    CROSS JOIN LATERAL (
        -- Back to the start of the grouping window, and to the end of its spread.
        SELECT greatest(
                   w.within::date + make_interval(mins => r.grouping_minutes
                       * (extract(epoch FROM w.within::time)::integer / 60 / r.grouping_minutes)),
                   w.within::date + v.send_from) AS opens
    ) AS o
    WHERE a.shard = $1
      AND a.status = 'b'
      AND e.exact AT TIME ZONE v.timezone >= a.planned_at
      AND a.planned_at <= w.closes AT TIME ZONE v.timezone
      AND least(o.opens + make_interval(secs => r.scatter_seconds), w.closes)
              AT TIME ZONE v.timezone < a.starts_at
      -- Beyond the horizon it is planned when its day comes.
      AND (a.unplanned_from IS NULL OR w.within::date < a.unplanned_from)
), present AS (
    -- What became a text of an older version stays and is not expected again.
    SELECT i.practice_id, i.appointment_id, i.rule_id, i.starts_at, i.due_day, i.state
    FROM intent i
    WHERE i.shard = $1
      AND i.state IN ('p', 'r')
), compared AS (
    SELECT coalesce(d.practice_id, p.practice_id) AS practice_id,
           coalesce(d.appointment_id, p.appointment_id) AS appointment_id,
           coalesce(d.rule_id, p.rule_id) AS rule_id,
           CASE WHEN p.practice_id IS NULL THEN 'missing'
                WHEN d.practice_id IS NULL AND p.state = 'p' THEN 'surplus'
           END AS wrong
    FROM derived d
    FULL JOIN present p
      ON p.practice_id = d.practice_id
     AND p.appointment_id = d.appointment_id
     AND p.rule_id = d.rule_id
     AND p.starts_at = d.starts_at
     AND p.due_day = d.local_day
)
SELECT count(*) AS cases,
       count(wrong) AS violations,
       (array_agg(format('%s: practice %s appointment %s rule %s', wrong, practice_id,
                         appointment_id, rule_id))
            FILTER (WHERE wrong IS NOT NULL))[1:10] AS examples
FROM compared
