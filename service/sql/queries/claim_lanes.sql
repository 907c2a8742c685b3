-- name: claim_lanes
-- Leases ready lanes of the shard, longest ready first.
-- FOR UPDATE SKIP LOCKED: another claimer, a cancellation or release holds what is passed by.
-- LIMIT $3: as many as there are free permits for deliveries. The literal state matches the
-- predicate of lane_ready, whose scan begins at the floor and so never walks the dead entries of
-- what was claimed before. The floor is read without a lock: one that is too old is only slower.
-- The heads are read by the next statement: this one's snapshot is older than its locks.
WITH picked AS (
    SELECT l.practice_id, l.phone, l.ready_at
    FROM lane l
    WHERE l.shard = $1
      AND l.state = 'r'
      AND l.ready_at >= (SELECT s.ready_floor FROM shard s WHERE s.shard = $1)
      AND l.ready_at <= $2
    ORDER BY l.ready_at, l.practice_id, l.phone
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE lane l
SET state = 'l',
    token = l.token + 1,
    lease_until = $4
FROM picked p
WHERE l.shard = $1
  AND l.practice_id = p.practice_id
  AND l.phone = p.phone
RETURNING l.practice_id, l.phone, l.token, p.ready_at
