-- name: deployment_insert
INSERT INTO deployment (shard_count)
VALUES ($1)
ON CONFLICT DO NOTHING
