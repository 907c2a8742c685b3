-- name: maintainer_ran
-- The row is locked by maintainer_lock.
UPDATE maintainer
SET ran_at = $3
WHERE shard = $1
  AND stage = $2
