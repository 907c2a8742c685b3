-- name: lane_item_tried
-- How many tries a text has behind it that has not ended. The lanes are locked by the caller.
UPDATE lane_item i
SET attempts = u.attempts
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[])
         AS u(practice_id, phone, message_id, attempts)
WHERE i.shard = $1
  AND i.practice_id = u.practice_id
  AND i.phone = u.phone
  AND i.message_id = u.message_id
