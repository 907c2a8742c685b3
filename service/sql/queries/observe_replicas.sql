-- name: observe_replicas
-- The replicas that receive the log, and how far each is behind. The lag in time is empty once a
-- replica has everything: then it is none. A role without pg_monitor sees no positions. The name is a
-- label of metrics, so it is of the type that labels are made of.
SELECT r.application_name::name AS replica,
       pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn)::float8 AS lag_bytes,
       coalesce(extract(epoch FROM r.replay_lag), 0)::float8 AS lag_seconds
FROM pg_stat_replication r
WHERE r.replay_lsn IS NOT NULL
