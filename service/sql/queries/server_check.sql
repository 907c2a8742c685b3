-- name: server_check
-- On the connection that is read from, ahead of the read: what is replayed stays replayed. A replica
-- that receives nothing has no timeline to tell, nor has one without pg_monitor.
SELECT s.in_recovery,
       CASE WHEN s.in_recovery THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
            ELSE pg_current_wal_insert_lsn()
       END AS lsn,
       CASE WHEN s.in_recovery
            THEN (SELECT nullif(r.received_tli, 0) FROM pg_stat_wal_receiver AS r)
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
       END AS timeline
FROM (SELECT pg_is_in_recovery() AS in_recovery) AS s
