-- name: intent_release
-- The rows are locked by release_due. $3 lists the days, by which the planner prunes partitions.
UPDATE intent i
SET state = 'r',
    message_id = u.message_id
FROM unnest($2::date[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[], $8::bigint[])
         AS u(due_day, practice_id, appointment_id, rule_id, plan_version, message_id)
WHERE i.shard = $1
  AND i.due_day = ANY ($3::date[])
  AND i.due_day = u.due_day
  AND i.practice_id = u.practice_id
  AND i.appointment_id = u.appointment_id
  AND i.rule_id = u.rule_id
  AND i.plan_version = u.plan_version
