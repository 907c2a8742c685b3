-- name: shard_floors_lower
UPDATE shard
SET release_floor = least(release_floor, $1::timestamptz),
    release_day = least(release_day, ($1::timestamptz AT TIME ZONE 'UTC')::date - 2)
