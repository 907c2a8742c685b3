-- name: lane_item_rewrite
-- A text that took in or lost an appointment may have to leave earlier or later. The lanes are
-- locked by the caller.
UPDATE lane_item i
SET expires_at = u.expires_at
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
         AS u(practice_id, phone, message_id, expires_at)
WHERE i.shard = $1
  AND i.practice_id = u.practice_id
  AND i.phone = u.phone
  AND i.message_id = u.message_id
