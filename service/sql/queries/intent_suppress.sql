-- name: intent_suppress
-- The rows are locked by intent_lock. $7 to $8 holds their days: other partitions are not opened.
UPDATE intent i
SET state = 'x', reason = $9
FROM unnest($2::date[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[])
         AS u(due_day, practice_id, appointment_id, rule_id, plan_version)
WHERE i.shard = $1
  AND i.due_day BETWEEN $7 AND $8
  AND i.due_day = u.due_day
  AND i.practice_id = u.practice_id
  AND i.appointment_id = u.appointment_id
  AND i.rule_id = u.rule_id
  AND i.plan_version = u.plan_version
