-- name: claim_intents
-- Which promises of these texts still hold. $3 lists the days, by which the planner prunes
-- partitions; served by the primary key's first columns.
SELECT u.position
FROM unnest($2::date[], $4::bigint[], $5::text[], $6::smallint[], $7::bigint[])
         WITH ORDINALITY
         AS u(due_day, practice_id, appointment_id, rule_id, message_id, position)
JOIN intent i
  ON i.shard = $1
 AND i.due_day = u.due_day
 AND i.practice_id = u.practice_id
 AND i.appointment_id = u.appointment_id
 AND i.rule_id = u.rule_id
 AND i.message_id = u.message_id
WHERE i.due_day = ANY ($3::date[])
  AND i.state = 'r'
