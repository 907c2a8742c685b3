-- name: intent_lock
-- FOR UPDATE in key order: release, which takes them with SKIP LOCKED, passes them by. The days are
-- named twice: for each appointment, and ($5) as a list by which the planner prunes partitions.
SELECT i.due_day, i.practice_id, i.appointment_id, i.rule_id, i.plan_version, i.state,
       i.group_slot, i.phone, i.message_id, i.due_at, i.starts_at
FROM unnest($2::bigint[], $3::text[], $4::date[]) AS u(practice_id, appointment_id, due_day)
JOIN intent i
  ON i.shard = $1
 AND i.due_day = u.due_day
 AND i.practice_id = u.practice_id
 AND i.appointment_id = u.appointment_id
WHERE i.due_day = ANY ($5::date[])
  AND i.state IN ('p', 'r')
ORDER BY i.due_day, i.practice_id, i.appointment_id, i.rule_id, i.plan_version
FOR UPDATE OF i
