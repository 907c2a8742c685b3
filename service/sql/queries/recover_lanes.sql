-- name: recover_lanes
-- Leases that ran out, oldest first. FOR UPDATE SKIP LOCKED: a completion that is being recorded
-- right now is not late. LIMIT $3: one batch. Served by lane_leased.
SELECT l.practice_id, l.phone
FROM lane l
WHERE l.shard = $1
  AND l.state = 'l'
  AND l.lease_until < $2
ORDER BY l.lease_until
LIMIT $3
FOR UPDATE SKIP LOCKED
