-- name: floor_raise
-- Each floor becomes the least of now and the oldest thing that stands above it, and never goes
-- back. Real time is the database's; domain time is given ($2). Planned intents stand on the days
-- from $3 to $4. A local day begins at most 12 hours after UTC's: a planned intent's day is at most
-- one before the floor's, and one more day is left for clocks that differ.
-- Served by lane_ready and intent_due, one step each from the old floor.
UPDATE shard s
SET ready_floor = greatest(f.ready_floor, f.ready),
    release_floor = greatest(f.release_floor, f.release),
    release_day = greatest(
        f.release_day,
        (greatest(f.release_floor, f.release) AT TIME ZONE 'UTC')::date - 2)
FROM (
    SELECT o.ready_floor, o.release_floor, o.release_day,
           least(clock_timestamp(), (
               SELECT l.ready_at
               FROM lane l
               WHERE l.shard = $1 AND l.state = 'r' AND l.ready_at >= o.ready_floor
               ORDER BY l.ready_at
               LIMIT 1)) AS ready,
           least($2::timestamptz, (
               SELECT i.due_at
               FROM intent i
               WHERE i.shard = $1
                 AND i.due_day BETWEEN $3 AND $4
                 AND i.state = 'p'
                 AND i.due_at >= o.release_floor
               ORDER BY i.due_at
               LIMIT 1)) AS release
    FROM shard o
    WHERE o.shard = $1
) AS f
WHERE s.shard = $1
