-- name: counters
-- The leading comment is our statement's name. One name can have several rows: one a user.
SELECT n.name,
       sum(s.calls)::bigint AS calls,
       sum(s.total_exec_time) AS exec_ms,
       sum(s.shared_blks_hit + s.shared_blks_read)::bigint AS buffers,
       sum(s.wal_bytes)::bigint AS wal_bytes
FROM pg_stat_statements s
CROSS JOIN LATERAL substring(s.query FROM '^/\*db_query=''([a-z0-9_]+)''') AS n(name)
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND n.name IS NOT NULL
GROUP BY n.name
