-- name: claim_lanes
-- Leases ready lanes of the shard, longest ready first.
-- FOR UPDATE SKIP LOCKED: another claimer, a cancellation or release holds what is passed by.
-- LIMIT $3: as many as there are free permits for deliveries. The literal state matches the
-- predicate of lane_ready, whose scan begins at the floor and so never walks the dead entries of
-- what was claimed before. The floor is read without a lock: one that is too old is only slower.
-- The heads are read by the next statement: this one's snapshot is older than its locks.
-- What was picked is locked and stays where it is, so it is reached by ctid; one that changed
-- between snapshot and lock is not, and is there for the next claim.
WITH picked AS (
    SELECT l.ctid AS place
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
WHERE l.shard = $1
  AND l.ctid = ANY (ARRAY(SELECT p.place FROM picked p))
RETURNING l.practice_id, l.phone, l.token, l.ready_at
