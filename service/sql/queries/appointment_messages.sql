-- name: appointment_messages
-- $4 to $5 holds the days on which the appointment has intents: other partitions are not opened.
SELECT i.rule_id, i.due_at, i.state AS intent_state, i.reason AS intent_reason, i.message_id,
       m.state AS message_state, m.reason AS message_reason, m.sent_at, m.receipt, m.receipt_at,
       m.reply, m.replied_at
FROM intent i
LEFT JOIN message m
  ON m.shard = $1 AND m.practice_id = $2 AND m.message_id = i.message_id
WHERE i.shard = $1
  AND i.practice_id = $2
  AND i.appointment_id = $3
  AND i.due_day BETWEEN $4 AND $5
ORDER BY i.due_at, i.rule_id, i.plan_version
