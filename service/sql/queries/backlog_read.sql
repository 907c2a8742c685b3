-- name: backlog_read
-- The days that may hold planned intents are named; partitions outside of them are pruned.
SELECT
    (SELECT count(*)
     FROM intent i
     WHERE i.shard = $1 AND i.state = 'p' AND i.due_at <= $2
       AND i.due_day BETWEEN ($2::timestamptz AT TIME ZONE 'UTC')::date - 7
                         AND ($2::timestamptz AT TIME ZONE 'UTC')::date + 1) AS due,
    (SELECT min(i.due_at)
     FROM intent i
     WHERE i.shard = $1 AND i.state = 'p' AND i.due_at > $2
       AND i.due_day BETWEEN ($2::timestamptz AT TIME ZONE 'UTC')::date - 1
                         AND ($2::timestamptz AT TIME ZONE 'UTC')::date + 2) AS next_due_at,
    (SELECT count(*) FROM lane l WHERE l.shard = $1 AND l.state = 'r') AS ready,
    (SELECT count(*) FROM lane l WHERE l.shard = $1 AND l.state = 'l') AS leased,
    (SELECT count(*) FROM lane l WHERE l.shard = $1 AND l.state = 'u') AS unresolved,
    (SELECT count(*) FROM lane_item t WHERE t.shard = $1) AS items,
    (SELECT count(*) FROM tally_delta d WHERE d.shard = $1) AS unfolded
