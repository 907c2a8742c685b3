-- name: claim_heads
-- The head of each leased lane, its text, and its appointments as they are now. A new statement
-- sees what was committed before the lanes were locked, so a cancellation that was answered "in
-- time" is seen here, and one that is still under way waits for our lock and will be too late.
-- is_true: booked, at the time and for the phone that the text was made for. is_settled: it was
-- last planned before this text was due, so its promise is certainly still the one in here; where
-- it isn't, the caller asks the intents. Served by the primary keys.
SELECT l.practice_id, l.phone, h.message_id, h.attempts, h.expires_at, m.state, m.local_day,
       m.rule_id, m.revision, m.segments, m.due_at, m.appointment_ids, m.starts_at, m.body,
       m.receipt, c.opted_out, a.is_true, a.is_settled, a.is_cancelled
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
LEFT JOIN consent c
  ON c.shard = $1 AND c.practice_id = l.practice_id AND c.phone = l.phone
CROSS JOIN LATERAL (
    SELECT array_agg(
               coalesce(
                   b.status = 'b' AND b.starts_at = r.starts_at AND b.phone = l.phone, false)
               ORDER BY r.position) AS is_true,
           array_agg(coalesce(b.planned_at < m.due_at, false) ORDER BY r.position) AS is_settled,
           array_agg(coalesce(b.status = 'c', true) ORDER BY r.position) AS is_cancelled
    FROM unnest(m.appointment_ids, m.starts_at) WITH ORDINALITY
             AS r(appointment_id, starts_at, position)
    LEFT JOIN appointment b
      ON b.shard = $1
     AND b.practice_id = l.practice_id
     AND b.appointment_id = r.appointment_id
) AS a
