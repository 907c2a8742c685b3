-- name: resolve_lanes
-- Takes unresolved lanes whose look-up is due. Until $4 nobody else looks at them; the raised token
-- is what the answer is recorded under. FOR UPDATE SKIP LOCKED: others hold what is passed by.
-- LIMIT $3: one batch. Served by lane_unresolved.
WITH picked AS (
    SELECT l.practice_id, l.phone, l.ready_at
    FROM lane l
    WHERE l.shard = $1
      AND l.state = 'u'
      AND l.ready_at <= $2
    ORDER BY l.ready_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE lane l
SET token = l.token + 1,
    ready_at = $4
FROM picked p
WHERE l.shard = $1
  AND l.practice_id = p.practice_id
  AND l.phone = p.phone
RETURNING l.practice_id, l.phone, l.token, p.ready_at
