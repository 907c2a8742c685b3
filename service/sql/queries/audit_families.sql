-- name: audit_families
-- What shares a text shares its group; and of a group's generations, all but the last are closed.
WITH family AS (
    SELECT m.practice_id, m.message_id,
           count(*) FILTER (WHERE i.phone <> m.phone OR i.due_day <> m.local_day
                               OR i.rule_id <> m.rule_id OR i.group_slot <> m.group_slot) AS strangers
    FROM message m
    JOIN intent i
      ON i.shard = $1 AND i.practice_id = m.practice_id AND i.message_id = m.message_id
    WHERE m.shard = $1
      AND cardinality(m.appointment_ids) > 1
    GROUP BY m.practice_id, m.message_id
)
SELECT count(*) AS cases,
       count(*) FILTER (WHERE strangers > 0) AS violations,
       (array_agg(format('practice %s message %s', practice_id, message_id))
            FILTER (WHERE strangers > 0))[1:10] AS examples
FROM family
