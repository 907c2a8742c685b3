-- name: lane_item_insert
-- The lanes are locked by lane_enter.
INSERT INTO lane_item (shard, practice_id, phone, message_id, expires_at)
SELECT s.shard, u.practice_id, u.phone, u.message_id, u.expires_at
FROM shard s,
     unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
         AS u(practice_id, phone, message_id, expires_at)
WHERE s.shard = $1
