-- name: intent_drop_lock
-- Promises of texts that lost their appointments and that nobody has ended yet: where a change
-- came too late for the text, which then could not be sent after all.
-- FOR UPDATE in key order, before the lanes. $7 to $8 holds their days: other partitions are not
-- opened. Served by the primary key.
SELECT u.position, i.plan_version
FROM unnest($2::date[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[])
         WITH ORDINALITY
         AS u(due_day, practice_id, appointment_id, rule_id, message_id, position)
JOIN intent i
  ON i.shard = $1
 AND i.due_day = u.due_day
 AND i.practice_id = u.practice_id
 AND i.appointment_id = u.appointment_id
 AND i.rule_id = u.rule_id
 AND i.message_id = u.message_id
WHERE i.due_day BETWEEN $7 AND $8
  AND i.state = 'r'
ORDER BY i.due_day, i.practice_id, i.appointment_id, i.rule_id, i.plan_version
FOR UPDATE OF i
