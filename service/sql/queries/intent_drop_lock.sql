-- name: intent_drop_lock
-- Promises of texts that lost their appointments and that nobody has ended yet: where a change
-- came too late for the text, which then could not be sent after all.
-- FOR UPDATE in key order as in intent_lock, before the lanes. Locking inside of LATERAL keeps the
-- order and the way: each is looked up by its primary key. $7 to $8 holds their days: other
-- partitions are not opened.
SELECT u.position, i.plan_version
FROM (SELECT due_day, practice_id, appointment_id, rule_id, message_id, position
      FROM unnest($2::date[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[])
               WITH ORDINALITY
               AS v(due_day, practice_id, appointment_id, rule_id, message_id, position)
      ORDER BY practice_id, appointment_id COLLATE "C", due_day, rule_id) AS u
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
    ORDER BY k.plan_version
    FOR UPDATE
) AS i
