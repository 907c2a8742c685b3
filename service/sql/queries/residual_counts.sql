-- name: residual_counts
-- How many promises of a shard are out of order, by kind.
SELECT r.kind::text AS kind, count(*) AS n
FROM residual r
WHERE r.shard = $1
  AND r.mended_at IS NULL
  AND r.told_at IS NULL
GROUP BY r.kind
