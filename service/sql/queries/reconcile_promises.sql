-- name: reconcile_promises
-- What appointments and rules promise from day $3 on, for some practices, against the intents that
-- are there: what is missing, what is there for nothing or twice, what still waits though its
-- appointment began by domain time $4, and what became a text that is gone or waits in no lane; not
-- what somebody was told of. By name, up to $5, the most urgent first of what hadn't closed by $4; as
-- it stood at as_of (report_as_of).
WITH derived AS (
    SELECT d.practice_id, d.appointment_id, d.rule_id, d.phone, d.starts_at, d.local_day,
           d.opens_at, d.closes_at
    FROM promised d
    WHERE d.shard = $1
      AND d.practice_id = ANY ($2)
      -- No appointment begins before its reminder's day, in any zone: earlier ones need no calendar.
      AND d.starts_at >= ($3::date - 1)::timestamp AT TIME ZONE 'UTC'
      AND d.local_day >= $3
      -- What the planner put off, as beyond the horizon, isn't any more an hour before its time.
      AND (d.unplanned_from IS NULL
           OR d.local_day < d.unplanned_from
           OR d.opens_at <= $4::timestamptz + interval '1 hour')
), present AS (
    SELECT p.practice_id, p.appointment_id, p.rule_id, p.phone, p.starts_at, p.due_day,
           p.plan_version, p.state, p.due_at, p.nth,
           p.state = 'r' AND coalesce((
               SELECT m.state = 'q' AND NOT EXISTS (
                   SELECT
                   FROM lane_item t
                   WHERE t.shard = $1
                     AND t.practice_id = m.practice_id
                     AND t.phone = m.phone
                     AND t.message_id = m.message_id)
               FROM message m
               WHERE m.shard = $1
                 AND m.practice_id = p.practice_id
                 AND m.message_id = p.message_id), true) AS is_lost
    FROM planned p
    WHERE p.shard = $1
      AND p.practice_id = ANY ($2)
      AND p.due_day >= $3
), compared AS MATERIALIZED (
    SELECT coalesce(d.practice_id, p.practice_id) AS practice_id,
           coalesce(d.appointment_id, p.appointment_id) AS appointment_id,
           coalesce(d.rule_id, p.rule_id) AS rule_id,
           coalesce(p.phone, d.phone) AS phone,
           coalesce(p.due_day, d.local_day) AS due_day,
           coalesce(p.plan_version, 0) AS plan_version,
           coalesce(p.starts_at, d.starts_at) AS starts_at,
           coalesce(p.due_at, d.opens_at) AS due_at,
           coalesce(d.closes_at, p.starts_at) AS closes_at,
           CASE WHEN p.practice_id IS NULL THEN 'm'
                WHEN p.nth > 1 OR p.state = 'p' AND d.practice_id IS NULL THEN 's'
                WHEN p.state = 'p' AND p.starts_at <= $4 THEN 'u'
                WHEN p.is_lost THEN 'u'
           END AS kind,
           CASE WHEN p.practice_id IS NULL THEN '?'
                WHEN p.nth > 1 THEN 't'
                WHEN p.is_lost THEN 'l'
                WHEN d.practice_id IS NULL THEN 'n'
                ELSE 'p'
           END AS reason
    FROM derived d
    FULL JOIN present p
      ON p.practice_id = d.practice_id
     AND p.appointment_id = d.appointment_id
     AND p.rule_id = d.rule_id
     AND p.phone = d.phone
     AND p.starts_at = d.starts_at
     AND p.due_day = d.local_day
), wrong AS MATERIALIZED (
    SELECT c.practice_id, c.appointment_id, c.rule_id, c.due_day, c.plan_version,
           CASE WHEN x.was_due THEN 'u' ELSE c.kind END AS kind,
           CASE WHEN x.was_due THEN 'p' ELSE c.reason END AS reason,
           c.starts_at, c.due_at, c.closes_at
    FROM compared c
    CROSS JOIN LATERAL (
        SELECT c.kind = 's' AND c.reason = 'n'
               AND was_due($1, c.practice_id, c.appointment_id, c.rule_id, c.phone, c.starts_at,
                           c.due_at) AS was_due
    ) AS x
    WHERE c.kind IS NOT NULL
      AND CASE
              WHEN c.kind = 'm' THEN NOT became_text($1, c.practice_id, c.appointment_id,
                                                     c.rule_id, c.starts_at)
              -- It leaves as soon as it can, and at the latest when its appointment begins.
              ELSE NOT x.was_due OR c.starts_at <= $4
          END
    UNION ALL
    SELECT m.practice_id, g.appointment_id, m.rule_id, m.local_day, m.message_id, 'u', 'q',
           g.starts_at, m.due_at, m.expires_at
    FROM lane_item t
    JOIN message m
      ON m.shard = $1 AND m.practice_id = t.practice_id AND m.message_id = t.message_id
    CROSS JOIN LATERAL unnest(m.appointment_ids, m.starts_at) AS g(appointment_id, starts_at)
    WHERE t.shard = $1
      AND t.practice_id = ANY ($2)
      AND t.expires_at <= $4
      AND m.state = 'q'
      AND m.local_day >= $3
), untold AS MATERIALIZED (
    SELECT w.practice_id, w.appointment_id, w.rule_id, w.due_day, w.plan_version, w.kind, w.reason,
           w.starts_at, w.due_at, w.closes_at
    FROM wrong w
    WHERE NOT EXISTS (
        SELECT
        FROM residual r
        WHERE r.shard = $1
          AND r.practice_id = w.practice_id
          AND r.appointment_id = w.appointment_id
          AND r.rule_id = w.rule_id
          AND r.due_day = w.due_day
          AND r.plan_version = w.plan_version
          AND r.kind = w.kind::"char"
          AND r.provider_ref = ''
          AND r.told_at IS NOT NULL)
), named AS MATERIALIZED (
    SELECT w.practice_id, w.appointment_id, w.rule_id, w.due_day, w.plan_version, w.kind, w.reason,
           w.starts_at, w.due_at, w.closes_at
    FROM untold w
    ORDER BY w.closes_at < $4, w.closes_at, w.practice_id, w.appointment_id, w.rule_id, w.due_day,
             w.plan_version
    LIMIT $5
), explained AS (
    SELECT n.practice_id, n.appointment_id, n.rule_id, n.due_day, n.plan_version, n.kind,
           CASE WHEN n.kind = 'm' THEN coalesce(x.reason, n.reason)
                WHEN n.reason = 'n' THEN coalesce(c.reason, n.reason)
                ELSE n.reason
           END AS reason,
           n.starts_at, n.due_at, n.closes_at
    FROM named n
    LEFT JOIN LATERAL (
        -- It was ended, or its practice is being planned again.
        SELECT 'x' AS reason
        FROM intent i
        WHERE i.shard = $1
          AND i.practice_id = n.practice_id
          AND i.appointment_id = n.appointment_id
          AND i.rule_id = n.rule_id
          AND i.due_day = n.due_day
          AND i.starts_at = n.starts_at
          AND i.state = 'x'
        UNION ALL
        SELECT 'r'
        FROM practice p
        WHERE p.shard = $1
          AND p.practice_id = n.practice_id
          AND p.replan_after IS NOT NULL
        LIMIT 1
    ) AS x ON n.kind = 'm'
    LEFT JOIN LATERAL (
        SELECT 'c' AS reason
        FROM appointment a
        WHERE a.shard = $1
          AND a.practice_id = n.practice_id
          AND a.appointment_id = n.appointment_id
          AND a.status = 'c'
    ) AS c ON n.kind = 's'
)
SELECT (SELECT count(*) FROM compared) AS cases,
       (SELECT count(*) FROM untold) AS violations,
       CASE WHEN pg_is_in_recovery() THEN (SELECT h.beaten_at FROM heartbeat h)
            ELSE statement_timestamp()
       END AS as_of,
       e.practice_id, e.appointment_id, e.rule_id, e.due_day, e.plan_version, e.kind, e.reason,
       '' AS provider_ref, e.starts_at, e.due_at, e.closes_at
FROM (SELECT 1 AS always) AS o
LEFT JOIN explained e ON true
