-- name: maintainer_insert
INSERT INTO maintainer (shard, stage)
SELECT n, stage
FROM generate_series(0, $1::smallint - 1) AS n, unnest($2::text[]) AS stage
ON CONFLICT DO NOTHING
