-- name: shard_insert
-- The floors start below everything that can ever be planned.
INSERT INTO shard (shard, ready_floor, release_floor, release_day)
SELECT n, '2000-01-01T00:00:00Z', '2000-01-01T00:00:00Z', '2000-01-01'
FROM generate_series(0, $1::smallint - 1) AS n
ON CONFLICT DO NOTHING
