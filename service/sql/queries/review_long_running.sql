-- name: review_long_running
-- Statements that have run for longer than $2 seconds, the oldest first; of their text only the
-- name that leads it. LIMIT $1.
SELECT a.pid,
       a.usename::text AS role,
       substring(a.application_name FROM '^punctual [a-z]+$') AS session,
       substring(a.query FROM '^/\*db_query=''([a-z0-9_]+)''') AS statement,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS seconds,
       a.wait_event_type AS waits_for
FROM pg_stat_activity a
WHERE a.datname = current_database()
  AND a.pid <> pg_backend_pid()
  AND a.state = 'active'
  AND a.query_start < clock_timestamp() - make_interval(secs => $2)
ORDER BY a.query_start
LIMIT $1
