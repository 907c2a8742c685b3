-- name: lane_next
-- When the next lane is ready: one step into lane_ready from the floor.
SELECT l.ready_at
FROM lane l
WHERE l.shard = $1
  AND l.state = 'r'
  AND l.ready_at >= (SELECT s.ready_floor FROM shard s WHERE s.shard = $1)
ORDER BY l.ready_at, l.practice_id, l.phone
LIMIT 1
