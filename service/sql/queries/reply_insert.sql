-- name: reply_insert
-- A reply answers the newest text to its phone; repeated ones are left out by their key.
-- The newest text is found by the front of message's unique key.
INSERT INTO reply (shard, practice_id, provider_ref, phone, message_id, kind, body, received_at)
SELECT s.shard, u.practice_id, u.provider_ref, u.phone, n.message_id, u.kind, u.body, $7
FROM shard s,
     unnest($2::bigint[], $3::text[], $4::bigint[], $5::"char"[], $6::text[])
         AS u(practice_id, provider_ref, phone, kind, body)
LEFT JOIN LATERAL (
    SELECT m.message_id
    FROM message m
    WHERE m.shard = $1 AND m.practice_id = u.practice_id AND m.phone = u.phone
      AND m.state IN ('s', 'a', 'q')
    ORDER BY m.local_day DESC, m.message_id DESC
    LIMIT 1
) AS n ON true
WHERE s.shard = $1
ON CONFLICT (shard, practice_id, provider_ref) DO NOTHING
RETURNING practice_id, message_id, kind, provider_ref
