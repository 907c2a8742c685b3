-- name: claim_heads
-- The head of each leased lane, its text, and its appointments as they are now. A new statement
-- sees what was committed before the lanes were locked, so a cancellation that was answered "in
-- time" is seen here, and one that is still under way waits for our lock and will be too late.
-- is_true: booked, at the time and for the phone that the text was made for. is_settled: it was
-- last planned before this text was due, so its promise is certainly still the one in here; where
-- it isn't, the caller asks the intents. A receipt proves that an earlier try came through.
-- LIMIT 1 of one row by its key: whatever the statistics say, it is looked up by its primary key.
SELECT l.practice_id, l.phone, h.message_id, h.attempts, h.expires_at, m.state, m.local_day,
       m.rule_id, m.revision, m.segments, m.due_at, m.appointment_ids, m.starts_at, m.body,
       m.receipt, m.receipt_at, m.provider_ref, c.opted_out, a.is_true, a.is_settled, a.is_cancelled
FROM unnest($2::bigint[], $3::bigint[]) AS l(practice_id, phone)
CROSS JOIN LATERAL (
    SELECT i.message_id, i.attempts, i.expires_at
    FROM lane_item i
    WHERE i.shard = $1 AND i.practice_id = l.practice_id AND i.phone = l.phone
    ORDER BY i.message_id
    LIMIT 1
) AS h
CROSS JOIN LATERAL (
    SELECT n.state, n.local_day, n.rule_id, n.revision, n.segments, n.due_at, n.appointment_ids,
           n.starts_at, n.body, n.receipt, n.receipt_at, n.provider_ref
    FROM message n
    WHERE n.shard = $1 AND n.practice_id = l.practice_id AND n.message_id = h.message_id
    LIMIT 1
) AS m
LEFT JOIN LATERAL (
    SELECT o.opted_out
    FROM consent o
    WHERE o.shard = $1 AND o.practice_id = l.practice_id AND o.phone = l.phone
    LIMIT 1
) AS c ON true
CROSS JOIN LATERAL (
    SELECT array_agg(
               coalesce(
                   b.status = 'b' AND b.starts_at = r.starts_at AND b.phone = l.phone, false)
               ORDER BY r.position) AS is_true,
           array_agg(coalesce(b.revised_at < m.due_at, false) ORDER BY r.position) AS is_settled,
           array_agg(coalesce(b.status = 'c', true) ORDER BY r.position) AS is_cancelled
    FROM unnest(m.appointment_ids, m.starts_at) WITH ORDINALITY
             AS r(appointment_id, starts_at, position)
    LEFT JOIN LATERAL (
        SELECT p.status, p.starts_at, p.phone, p.revised_at
        FROM appointment p
        WHERE p.shard = $1
          AND p.practice_id = l.practice_id
          AND p.appointment_id = r.appointment_id
        LIMIT 1
    ) AS b ON true
) AS a
