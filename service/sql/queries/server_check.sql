-- name: server_check
-- On the connection that is read from, ahead of the read: what is replayed stays replayed. Without
-- pg_monitor, and while nothing is received, there is no timeline.
SELECT pg_is_in_recovery() AS in_recovery,
       coalesce(pg_last_wal_replay_lsn(), '0/0') AS lsn,
       (SELECT nullif(r.received_tli, 0) FROM pg_stat_wal_receiver AS r) AS timeline
