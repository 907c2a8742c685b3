-- name: intent_suppress
-- The rows are locked, by intent_lock or intent_drop_lock. Each is looked up by its primary key and reached by
-- ctid, whatever the statistics say: a plan that is kept takes every week for one that it opens, and
-- so would rather read the batch once for each row. $8 to $9 holds the days: other partitions are
-- not opened.
UPDATE intent i
SET state = 'x',
    reason = k.reason
FROM (
    SELECT n.week, n.place, u.reason
    FROM unnest($2::date[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[], $7::"char"[])
             AS u(due_day, practice_id, appointment_id, rule_id, plan_version, reason)
    CROSS JOIN LATERAL (
        SELECT o.tableoid AS week, o.ctid AS place
        FROM intent o
        WHERE o.shard = $1
          AND o.practice_id = u.practice_id
          AND o.appointment_id = u.appointment_id
          AND o.rule_id = u.rule_id
          AND o.plan_version = u.plan_version
          AND o.due_day = u.due_day
          AND o.due_day BETWEEN $8 AND $9
        LIMIT 1
    ) AS n
) AS k
WHERE i.shard = $1
  AND i.due_day BETWEEN $8 AND $9
  AND i.tableoid = k.week
  AND i.ctid = k.place
