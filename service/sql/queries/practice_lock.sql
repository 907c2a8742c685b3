-- name: practice_lock
-- FOR UPDATE: two changes of one practice must not open the same revision.
SELECT revision
FROM practice
WHERE shard = $1
  AND practice_id = $2
FOR UPDATE
