-- name: residual_open
-- How many promises of a shard are out of order, by kind; of one practice where $2 is given.
SELECT r.kind::text AS kind, count(*) AS n
FROM open_residual r
WHERE r.shard = $1
  AND ($2::bigint IS NULL OR r.practice_id = $2)
GROUP BY r.kind
ORDER BY r.kind
