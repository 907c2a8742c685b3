-- name: lower_floors
UPDATE shard
SET ready_floor = '2000-01-01T00:00:00Z',
    release_floor = '2000-01-01T00:00:00Z',
    release_day = '2000-01-01'
