-- name: review_blocked
-- Statements that wait for a lock, and for whom: the sessions that hold it or stand before them,
-- each once for whoever is first in its way. Of their texts only the names that lead them.
SELECT a.pid,
       a.usename::text AS role,
       substring(a.application_name FROM '^punctual [a-z]+$') AS session,
       substring(a.query FROM '^/\*db_query=''([a-z0-9_]+)''') AS statement,
       extract(epoch FROM clock_timestamp() - w.since)::float8 AS seconds,
       b.pids[1] AS blocker,
       cardinality(b.pids) AS blockers,
       h.state AS blocker_state,
       substring(h.query FROM '^/\*db_query=''([a-z0-9_]+)''') AS blocker_statement
FROM pg_stat_activity a
CROSS JOIN LATERAL (SELECT pg_blocking_pids(a.pid) AS pids) AS b
CROSS JOIN LATERAL (
    SELECT coalesce(min(l.waitstart), a.state_change) AS since
    FROM pg_locks l
    WHERE l.pid = a.pid
      AND NOT l.granted
) AS w
LEFT JOIN pg_stat_activity h ON h.pid = b.pids[1]
WHERE a.datname = current_database()
  AND a.wait_event_type = 'Lock'
  AND cardinality(b.pids) > 0
  AND w.since < clock_timestamp() - make_interval(secs => $2)
ORDER BY w.since
LIMIT $1
