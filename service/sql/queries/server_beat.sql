-- name: server_beat
-- The time of the server that is written to, read again on the replicas. Of several processes one
-- is enough. $1 is the least age in seconds of the one before.
UPDATE heartbeat
SET beaten_at = clock_timestamp()
WHERE beaten_at < clock_timestamp() - make_interval(secs => $1)
