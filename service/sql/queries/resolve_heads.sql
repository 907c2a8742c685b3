-- name: resolve_heads
-- What is known of deliveries whose answer was lost: the text, when its last try began, from which
-- number, and since when its answer is known to be lost. A new statement, after the lanes' locks.
SELECT l.practice_id, l.phone, h.message_id, h.attempts, h.expires_at, m.local_day, m.rule_id,
       m.due_at, m.body, m.provider_ref, m.receipt,
       cardinality(m.appointment_ids) AS members, a.started_at, a.sender,
       o.finished_at AS lost_at
FROM unnest($2::bigint[], $3::bigint[]) AS l(practice_id, phone)
CROSS JOIN LATERAL (
    SELECT i.message_id, i.attempts, i.expires_at
    FROM lane_item i
    WHERE i.shard = $1 AND i.practice_id = l.practice_id AND i.phone = l.phone
    ORDER BY i.message_id
    LIMIT 1
) AS h
JOIN message m
  ON m.shard = $1 AND m.practice_id = l.practice_id AND m.message_id = h.message_id
JOIN attempt a
  ON a.shard = $1
 AND a.local_day = m.local_day
 AND a.practice_id = l.practice_id
 AND a.message_id = h.message_id
 AND a.attempt_no = h.attempts
JOIN attempt_outcome o
  ON o.shard = $1
 AND o.local_day = m.local_day
 AND o.practice_id = l.practice_id
 AND o.message_id = h.message_id
 AND o.attempt_no = h.attempts
 AND o.outcome = 'a'
