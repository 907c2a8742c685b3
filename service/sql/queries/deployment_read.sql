-- name: deployment_read
SELECT shard_count
FROM deployment
