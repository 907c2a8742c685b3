-- name: audit_conservation
-- expected = sent + suppressed + failed + expired + pending + ambiguous, promise by promise: one
-- without a fate, or with a text that is not there, is left over. A text that waits must stand in
-- its recipient's lane, and only one that waits may.
WITH promise AS (
    SELECT i.practice_id, i.due_day, i.rule_id, i.appointment_id,
           CASE
               WHEN i.state = 'p' THEN 'pending'
               WHEN i.state = 'x' AND i.reason = 'e' THEN 'expired'
               WHEN i.state = 'x' THEN 'suppressed'
               WHEN m.state = 'q' AND t.message_id IS NOT NULL THEN 'pending'
               -- In its lane while it is looked up, out of it once its appointment began.
               WHEN m.state = 'a' THEN 'ambiguous'
               WHEN m.state = 's' AND t.message_id IS NULL THEN 'sent'
               WHEN m.state = 'f' AND t.message_id IS NULL THEN 'failed'
               WHEN m.state = 'e' AND t.message_id IS NULL THEN 'expired'
               WHEN m.state = 'x' AND t.message_id IS NULL THEN 'suppressed'
           END AS fate
    FROM intent i
    LEFT JOIN message m
      ON m.shard = $1 AND m.practice_id = i.practice_id AND m.message_id = i.message_id
    LEFT JOIN lane_item t
      ON t.shard = $1 AND t.practice_id = m.practice_id AND t.phone = m.phone
     AND t.message_id = m.message_id
    WHERE i.shard = $1
)
SELECT count(*) AS cases,
       count(*) - count(fate) AS violations,
       (array_agg(format('practice %s day %s rule %s appointment %s', practice_id, due_day, rule_id,
                         appointment_id))
            FILTER (WHERE fate IS NULL))[1:10] AS examples
FROM promise
