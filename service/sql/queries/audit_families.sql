-- name: audit_families
-- What shares a text shares its group; and a group's generations follow each other from the first
-- on, none left out and each made after the one before. Whether that one was closed by then stands
-- in no row: a text whose try failed waits again, and one whose appointment was corrected still may.
WITH family AS (
    SELECT m.practice_id, m.message_id,
           CASE WHEN bool_or(i.phone <> m.phone OR i.due_day <> m.local_day
                             OR i.rule_id <> m.rule_id OR i.group_slot <> m.group_slot)
                THEN 'tells of a stranger'
           END AS wrong
    FROM message m
    JOIN intent i
      ON i.shard = $1 AND i.practice_id = m.practice_id AND i.message_id = m.message_id
    WHERE m.shard = $1
      AND cardinality(m.appointment_ids) > 1
    GROUP BY m.practice_id, m.message_id
), following AS (
    SELECT m.practice_id, m.message_id,
           CASE WHEN e.message_id IS NULL THEN 'follows a generation that is not there'
                WHEN e.message_id > m.message_id THEN 'is older than the generation before it'
           END AS wrong
    FROM message m
    LEFT JOIN message e
      ON e.shard = $1 AND e.practice_id = m.practice_id AND e.phone = m.phone
     AND e.local_day = m.local_day AND e.rule_id = m.rule_id AND e.group_slot = m.group_slot
     AND e.generation = m.generation - 1
    WHERE m.shard = $1
      AND m.generation > 1
), checked AS (
    SELECT practice_id, message_id, wrong FROM family
    UNION ALL
    SELECT practice_id, message_id, wrong FROM following
)
SELECT count(*) AS cases,
       count(wrong) AS violations,
       (array_agg(format('practice %s message %s: %s', practice_id, message_id, wrong))
            FILTER (WHERE wrong IS NOT NULL))[1:10] AS examples
FROM checked
