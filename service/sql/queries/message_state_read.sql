-- name: message_state_read
-- A queued text can be stopped unless it is the head of a lane that is leased or unresolved: that
-- one may have left. Served by the primary keys.
SELECT m.practice_id, m.message_id,
       m.state = 'q' AND (l.state IS NULL OR l.state = 'r' OR h.message_id <> m.message_id)
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS u(practice_id, phone, message_id)
JOIN message m
  ON m.shard = $1 AND m.practice_id = u.practice_id AND m.message_id = u.message_id
LEFT JOIN lane l
  ON l.shard = $1 AND l.practice_id = u.practice_id AND l.phone = u.phone
LEFT JOIN LATERAL (
    SELECT i.message_id
    FROM lane_item i
    WHERE i.shard = $1 AND i.practice_id = u.practice_id AND i.phone = u.phone
    ORDER BY i.message_id
    LIMIT 1
) AS h ON true
