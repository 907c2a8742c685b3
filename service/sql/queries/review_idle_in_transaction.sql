-- name: review_idle_in_transaction
-- Sessions that hold a transaction open and have done nothing in it for $2 seconds, the oldest
-- first: they keep their locks, and dead rows from being cleaned up. Of the last statement's text
-- only the name that leads it. LIMIT $1.
SELECT a.pid,
       a.usename::text AS role,
       substring(a.application_name FROM '^punctual [a-z]+$') AS session,
       substring(a.query FROM '^/\*db_query=''([a-z0-9_]+)''') AS statement,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS seconds,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS transaction_seconds
FROM pg_stat_activity a
WHERE a.datname = current_database()
  AND a.state LIKE 'idle in transaction%'
  AND a.state_change < clock_timestamp() - make_interval(secs => $2)
ORDER BY a.xact_start
LIMIT $1
