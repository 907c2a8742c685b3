-- name: recover_heads
-- The heads of lanes whose lease ran out, and whether the next try of each was begun: the row of
-- a try is committed before its first byte leaves. A new statement, after the lanes' locks.
SELECT l.practice_id, l.phone, h.message_id, h.attempts, m.local_day, m.rule_id,
       cardinality(m.appointment_ids) AS members, a.started_at
FROM unnest($2::bigint[], $3::bigint[]) AS l(practice_id, phone)
CROSS JOIN LATERAL (
    SELECT i.message_id, i.attempts
    FROM lane_item i
    WHERE i.shard = $1 AND i.practice_id = l.practice_id AND i.phone = l.phone
    ORDER BY i.message_id
    LIMIT 1
) AS h
JOIN message m
  ON m.shard = $1 AND m.practice_id = l.practice_id AND m.message_id = h.message_id
LEFT JOIN attempt a
  ON a.shard = $1
 AND a.local_day = m.local_day
 AND a.practice_id = l.practice_id
 AND a.message_id = h.message_id
 AND a.attempt_no = h.attempts + 1
ORDER BY l.practice_id, l.phone
