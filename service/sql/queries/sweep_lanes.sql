-- name: sweep_lanes
-- Ready lanes below the floor, which no claim would ever see: must be none. Looks below the floor
-- on purpose. Served by lane_ready.
SELECT count(*)
FROM lane l
WHERE l.shard = $1
  AND l.state = 'r'
  AND l.ready_at < (SELECT s.ready_floor FROM shard s WHERE s.shard = $1)
