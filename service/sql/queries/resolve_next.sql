-- name: resolve_next
-- How many deliveries of the shard are unresolved, and when the next one is looked up. Few, as a
-- rule none. Served by lane_unresolved.
SELECT count(*), min(l.ready_at)
FROM lane l
WHERE l.shard = $1
  AND l.state = 'u'
