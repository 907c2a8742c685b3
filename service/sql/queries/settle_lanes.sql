-- name: settle_lanes
-- Takes ended texts out of their lanes. A lane with more to send is ready for it at once, one
-- without goes. The lanes are locked by settle_lock, so nothing can come in between. $5 is at
-- least the floor, whose row is locked by shard_floors.
WITH ended AS (
    SELECT u.practice_id, u.phone, u.message_id, n.message_id IS NOT NULL AS has_more
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS u(practice_id, phone, message_id)
    LEFT JOIN LATERAL (
        SELECT i.message_id
        FROM lane_item i
        WHERE i.shard = $1
          AND i.practice_id = u.practice_id
          AND i.phone = u.phone
          AND i.message_id > u.message_id
        LIMIT 1
    ) AS n ON true
), taken AS (
    DELETE FROM lane_item i
    USING ended e
    WHERE i.shard = $1
      AND i.practice_id = e.practice_id
      AND i.phone = e.phone
      AND i.message_id = e.message_id
), gone AS (
    DELETE FROM lane l
    USING ended e
    WHERE l.shard = $1
      AND l.practice_id = e.practice_id
      AND l.phone = e.phone
      AND NOT e.has_more
)
UPDATE lane l
SET state = 'r',
    ready_at = $5
FROM ended e
WHERE l.shard = $1
  AND l.practice_id = e.practice_id
  AND l.phone = e.phone
  AND e.has_more
