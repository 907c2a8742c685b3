-- name: job_report_page
-- Keyset within a day. Served by message_day.
SELECT message_id, phone, rule_id, state, reason, receipt, due_at, sent_at, receipt_at, reply,
       replied_at, error_code, appointment_ids, starts_at
FROM message
WHERE shard = $1
  AND practice_id = $2
  AND local_day = $3
  AND message_id > $4
ORDER BY message_id
LIMIT $5
