-- name: review_slots
-- Replication slots of the server, and how much log each of them keeps from being removed. Served
-- by whichever server is asked: a replica has replayed what a primary has written.
SELECT s.slot_name::text AS subject,
       s.active,
       s.wal_status,
       pg_wal_lsn_diff(
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_lsn() END,
           s.restart_lsn)::bigint AS retained_bytes
FROM pg_replication_slots s
ORDER BY retained_bytes DESC NULLS LAST, subject
LIMIT $1
