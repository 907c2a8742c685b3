-- name: review_server
-- What this role may see of its server: whether pg_stat_statements is in this database and found
-- by its name, whether other roles' sessions and statements are shown whole, and since when the
-- counts of this database stand.
SELECT to_regclass('pg_stat_statements') IS NOT NULL AS has_statements,
       pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
       d.stats_reset AS counted_since
FROM pg_stat_database d
WHERE d.datname = current_database()
