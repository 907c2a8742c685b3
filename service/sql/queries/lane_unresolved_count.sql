-- name: lane_unresolved_count
-- Deliveries whose answer was lost and is not yet known. Served by lane_unresolved.
SELECT count(*)
FROM lane l
WHERE l.shard = $1
  AND l.state = 'u'
