-- name: deployment_read
SELECT shard_count, deployed_at
FROM deployment
