-- name: claim_intents
-- Which promises of these texts still hold. $7 to $8 holds their days: other partitions are not
-- opened. Each is looked up by its primary key, whatever the statistics say.
SELECT u.position
FROM unnest($2::date[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[])
         WITH ORDINALITY
         AS u(due_day, practice_id, appointment_id, rule_id, message_id, position)
CROSS JOIN LATERAL (
    SELECT k.plan_version
    FROM intent k
    WHERE k.shard = $1
      AND k.practice_id = u.practice_id
      AND k.appointment_id = u.appointment_id
      AND k.rule_id = u.rule_id
      AND k.due_day = u.due_day
      AND k.due_day BETWEEN $7 AND $8
      AND k.message_id = u.message_id
      AND k.state = 'r'
    OFFSET 0
) AS i
