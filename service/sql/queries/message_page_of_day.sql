-- name: message_page_of_day
-- Keyset within a day. Served by message_day.
SELECT message_id, phone, local_day, rule_id, generation, state, reason, receipt, attempts, segments,
       due_at, sent_at, receipt_at, reply, replied_at, error_code, appointment_ids, body
FROM message
WHERE shard = $1
  AND practice_id = $2
  AND local_day = $5
  AND message_id > $3
ORDER BY message_id
LIMIT $4
