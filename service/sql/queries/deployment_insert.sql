-- name: deployment_insert
-- The first process fixes the shard count. One of another build than the last is a deploy; a restart
-- is none and leaves the row as it is.
INSERT INTO deployment (shard_count, build, deployed_at)
VALUES ($1, $2, clock_timestamp())
ON CONFLICT (id) DO UPDATE
SET build = excluded.build,
    deployed_at = excluded.deployed_at
WHERE deployment.build <> excluded.build
