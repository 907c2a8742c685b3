-- name: server_look
-- A primary's timeline is read off the name of the log's file: after a promotion the control file
-- says the old one for a while. A replica's is the one that it receives, or has last recovered in.
-- A role without pg_monitor sees no receiver,
-- and says so.
SELECT s.in_recovery,
       (SELECT c.system_identifier FROM pg_control_system() AS c) AS system,
       CASE WHEN s.in_recovery
            THEN coalesce(nullif(r.received_tli, 0),
                          (SELECT nullif(c.min_recovery_end_timeline, 0)
                           FROM pg_control_recovery() AS c),
                          (SELECT c.timeline_id FROM pg_control_checkpoint() AS c))
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
       END AS timeline,
       CASE WHEN s.in_recovery THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
            ELSE pg_current_wal_insert_lsn()
       END AS lsn,
       extract(epoch FROM clock_timestamp() - r.last_msg_receipt_time)::float8
           AS receiver_silent_seconds,
       pg_has_role('pg_read_all_stats', 'USAGE') AS sees_receiver,
       clock_timestamp() AS clock,
       pg_postmaster_start_time() AS started
FROM (SELECT pg_is_in_recovery() AS in_recovery) AS s
LEFT JOIN pg_stat_wal_receiver AS r ON r.status = 'streaming'
