-- name: intent_lock
-- FOR UPDATE in key order, which is the order in which the keys are given: release, which takes
-- them with SKIP LOCKED, passes them by. $5 to $6 holds all the days: partitions outside of it are
-- not opened.
SELECT i.due_day, i.practice_id, i.appointment_id, i.rule_id, i.plan_version, i.state,
       i.group_slot, i.phone, i.message_id, i.due_at, i.starts_at
FROM unnest($2::date[], $3::bigint[], $4::text[]) AS u(due_day, practice_id, appointment_id)
CROSS JOIN LATERAL (
    SELECT k.due_day, k.practice_id, k.appointment_id, k.rule_id, k.plan_version, k.state,
           k.group_slot, k.phone, k.message_id, k.due_at, k.starts_at
    FROM intent k
    WHERE k.shard = $1
      AND k.practice_id = u.practice_id
      AND k.appointment_id = u.appointment_id
      AND k.due_day = u.due_day
      AND k.due_day BETWEEN $5 AND $6
      AND k.state IN ('p', 'r')
    ORDER BY k.rule_id, k.plan_version
    FOR UPDATE
) AS i
