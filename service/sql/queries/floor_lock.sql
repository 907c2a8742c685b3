-- name: floor_lock
-- FOR NO KEY UPDATE: waits for all who hold the floors FOR SHARE and keeps new ones out, so that
-- the next statement sees everything that was made ready or planned under the old floors.
SELECT release_day
FROM shard
WHERE shard = $1
FOR NO KEY UPDATE
