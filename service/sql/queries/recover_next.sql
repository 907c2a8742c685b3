-- name: recover_next
-- When the next lease of the shard runs out: one step into lane_leased.
SELECT l.lease_until
FROM lane l
WHERE l.shard = $1
  AND l.state = 'l'
ORDER BY l.lease_until
LIMIT 1
