-- name: reply_insert
-- A reply answers the newest text to its phone that the patient can have read: one that was sent,
-- whose answer was lost, or that is on its way right now (n; the head of a leased lane is still
-- queued). Without one it answers the text that was tried and waits to be tried again, as providers
-- have delivered what they refused (t). What only waits is never what is answered.
-- Repeated replies are left out by their key. n is found by the front of message's unique key.
INSERT INTO reply (shard, practice_id, provider_ref, phone, message_id, kind, body, received_at)
SELECT s.shard, u.practice_id, u.provider_ref, u.phone, coalesce(n.message_id, t.message_id),
       u.kind, u.body, $7
FROM shard s,
     unnest($2::bigint[], $3::text[], $4::bigint[], $5::"char"[], $6::text[])
         AS u(practice_id, provider_ref, phone, kind, body)
LEFT JOIN LATERAL (
    SELECT m.message_id
    FROM message m
    WHERE m.shard = $1 AND m.practice_id = u.practice_id AND m.phone = u.phone
      AND (m.state IN ('s', 'a')
           OR m.state = 'q'
              AND m.message_id = (
                  SELECT h.message_id
                  FROM lane_item h
                  WHERE h.shard = $1 AND h.practice_id = u.practice_id AND h.phone = u.phone
                  ORDER BY h.message_id
                  LIMIT 1)
              AND 'l' = (
                  SELECT l.state
                  FROM lane l
                  WHERE l.shard = $1 AND l.practice_id = u.practice_id AND l.phone = u.phone))
    ORDER BY m.local_day DESC, m.message_id DESC
    LIMIT 1
) AS n ON true
LEFT JOIN LATERAL (
    SELECT i.message_id
    FROM lane_item i
    WHERE n.message_id IS NULL
      AND i.shard = $1 AND i.practice_id = u.practice_id AND i.phone = u.phone
      AND i.attempts > 0
    LIMIT 1
) AS t ON true
WHERE s.shard = $1
ON CONFLICT (shard, practice_id, provider_ref) DO NOTHING
RETURNING practice_id, message_id, kind, provider_ref
