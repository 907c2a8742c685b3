-- name: review_dead_rows
-- Tables with more dead rows than twice what autovacuum lets stand at its default scale (a fifth
-- of the live ones), and no fewer than $2: it does not keep up with them, or may not clean them.
SELECT s.relid::regclass::text AS subject,
       s.n_dead_tup AS dead,
       s.n_live_tup AS alive,
       greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum
FROM pg_stat_user_tables s
WHERE s.n_dead_tup >= $2
  AND s.n_dead_tup > 0.4 * s.n_live_tup
ORDER BY s.n_dead_tup DESC
LIMIT $1
