-- name: server_beat
-- The time of the server that is written to, read again on the replicas. Of several processes one
-- is enough. $1 is the least age in seconds of the one before; one that lies ahead is of another
-- server's clock.
UPDATE heartbeat
SET beaten_at = clock_timestamp()
WHERE beaten_at NOT BETWEEN clock_timestamp() - make_interval(secs => $1) AND clock_timestamp()
