-- name: review_statements
-- What the server counted of the statements of this database, those that took longest first. Ours
-- are known by their leading comment and added up by name, whatever number of queryids they have
-- had; others have their text, normalised by pg_stat_statements, and are added up by queryid.
-- LIMIT $1: all of ours, and as many again of others. left(…, 2000): a text is shown cut.
SELECT s.name,
       CASE WHEN s.name IS NULL THEN left(min(s.query), 2000) END AS text,
       (array_agg(s.queryid ORDER BY s.total_exec_time DESC))[1] AS queryid,
       sum(s.calls)::bigint AS calls,
       sum(s.total_exec_time)::float8 / 1000 AS seconds,
       sum(s.rows)::bigint AS returned,
       sum(s.shared_blks_hit)::bigint AS blocks_hit,
       sum(s.shared_blks_read)::bigint AS blocks_read,
       sum(s.shared_blks_dirtied)::bigint AS blocks_dirtied,
       sum(s.temp_blks_written)::bigint AS temp_blocks_written,
       sum(s.wal_bytes)::bigint AS wal_bytes
FROM (
    SELECT t.*,
           substring(t.query FROM '^/\*db_query=''([a-z0-9_]+)''') AS name
    FROM pg_stat_statements t
    WHERE t.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
) AS s
GROUP BY s.name, CASE WHEN s.name IS NULL THEN s.queryid END
ORDER BY sum(s.total_exec_time) DESC
LIMIT $1
