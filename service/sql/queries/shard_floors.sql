-- name: shard_floors
-- FOR SHARE: the floors can't rise before this transaction ends, so nothing that it makes ready or
-- plans can come to stand below them. Planners and workers share the lock; one maintainer waits.
SELECT ready_floor, release_floor, release_day
FROM shard
WHERE shard = $1
FOR SHARE
