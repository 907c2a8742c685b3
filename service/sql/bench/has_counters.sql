-- name: has_counters
-- The extension is in this database; without shared_preload_libraries its view is an error, which
-- the setting tells.
SELECT to_regclass('pg_stat_statements') IS NOT NULL
   AND current_setting('pg_stat_statements.track', true) IS NOT NULL
