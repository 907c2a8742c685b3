-- name: come_forward
-- The busy recipient's lane is ready before all others that wait.
UPDATE lane l
SET ready_at = o.ready_at
FROM (
    SELECT min(ready_at) AS ready_at
    FROM lane
    WHERE shard = $1
      AND state = 'r'
) AS o
WHERE l.shard = $1
  AND l.phone = 999100000000
