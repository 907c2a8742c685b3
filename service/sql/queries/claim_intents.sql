-- name: claim_intents
-- Which promises of these texts still hold. $7 to $8 holds their days: other partitions are not
-- opened. Served by the primary key.
SELECT u.position
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
