-- name: maintainer_lock
-- FOR UPDATE SKIP LOCKED: one runner a shard and stage, until its transaction ends. Whoever finds
-- it taken goes on to another shard. Served by the primary key.
SELECT ran_at
FROM maintainer
WHERE shard = $1
  AND stage = $2
FOR UPDATE SKIP LOCKED
