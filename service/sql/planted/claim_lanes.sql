-- name: claim_lanes
-- The claim as many write it first: the head of each recipient's queue by DISTINCT ON, which sorts
-- all that waits for each batch. Only in builds that check their assertions, and there only when
-- asked for: a harness must find it.
WITH heads AS (
    SELECT DISTINCT ON (i.practice_id, i.phone) i.practice_id, i.phone
    FROM lane_item i
    WHERE i.shard = $1
    ORDER BY i.practice_id, i.phone, i.message_id
), picked AS (
    SELECT l.ctid AS place
    FROM heads h
    JOIN lane l ON l.shard = $1
               AND l.practice_id = h.practice_id
               AND l.phone = h.phone
    WHERE l.state = 'r'
      AND l.ready_at <= $2
    ORDER BY l.ready_at, l.practice_id, l.phone
    LIMIT $3
    FOR UPDATE OF l SKIP LOCKED
)
UPDATE lane l
SET state = 'l',
    token = l.token + 1,
    lease_until = $4
WHERE l.shard = $1
  AND l.ctid = ANY (ARRAY(SELECT p.place FROM picked p))
RETURNING l.practice_id, l.phone, l.token, l.ready_at
