-- name: wal
-- Of the whole server: nothing else may run on it.
SELECT wal_records, wal_bytes::bigint AS wal_bytes, wal_write, wal_sync
FROM pg_stat_wal
