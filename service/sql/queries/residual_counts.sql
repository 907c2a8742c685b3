-- name: residual_counts
-- How many promises of a shard are out of order, by kind.
SELECT r.kind::text AS kind, count(*) AS n
FROM open_residual r
WHERE r.shard = $1
GROUP BY r.kind
