-- name: audit_cancelled
-- A promise that was stopped in time is told by no text that left.
WITH stopped AS (
    SELECT i.practice_id, i.appointment_id, i.rule_id, i.message_id,
           m.state = 's' AND i.appointment_id = ANY (m.appointment_ids) AS left_anyway
    FROM intent i
    LEFT JOIN message m
      ON m.shard = $1 AND m.practice_id = i.practice_id AND m.message_id = i.message_id
    WHERE i.shard = $1
      AND i.state = 'x'
)
SELECT count(*) AS cases,
       count(*) FILTER (WHERE left_anyway) AS violations,
       (array_agg(format('practice %s appointment %s rule %s message %s', practice_id,
                         appointment_id, rule_id, message_id))
            FILTER (WHERE left_anyway))[1:10] AS examples
FROM stopped
