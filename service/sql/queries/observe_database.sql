-- name: observe_database
-- The database as its server sees it: size, the oldest open transaction, who waits for a lock,
-- deadlocks since its statistics were reset, how much of the transaction ids is used; and until when
-- the provider's list was compared, which is one look for all shards too. Sessions of other users
-- show no times to a plain role.
SELECT
    pg_database_size(d.oid)::float8 AS size_bytes,
    coalesce((
        SELECT extract(epoch FROM max(clock_timestamp() - a.xact_start))
        FROM pg_stat_activity a
        WHERE a.datid = d.oid
          AND a.pid <> pg_backend_pid()
    ), 0)::float8 AS oldest_transaction_seconds,
    (
        SELECT count(*)
        FROM pg_stat_activity a
        WHERE a.datid = d.oid
          AND a.wait_event_type = 'Lock'
    )::float8 AS blocked_sessions,
    (
        SELECT s.deadlocks
        FROM pg_stat_database s
        WHERE s.datid = d.oid
    ) AS deadlocks,
    age(d.datfrozenxid)::float8 / 2147483648 AS transaction_ids,
    (
        SELECT extract(epoch FROM p.compared_until)::float8
        FROM deployment p
    ) AS compared_until
FROM pg_database d
WHERE d.datname = current_database()
