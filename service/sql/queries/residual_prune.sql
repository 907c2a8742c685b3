-- name: residual_prune
-- Removes what was closed before $2: mended, told, or both. What is open has no such instant. LIMIT $3:
-- one batch, the oldest first, served by residual_closed. FOR UPDATE SKIP LOCKED: what a look finds
-- again, or another process removes, is left for the next turn. What is locked stays where it is, so it
-- is reached by ctid.
WITH closed AS (
    SELECT r.ctid AS place
    FROM residual r
    WHERE r.shard = $1
      AND greatest(r.mended_at, r.told_at) < $2
    ORDER BY greatest(r.mended_at, r.told_at)
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
DELETE FROM residual r
WHERE r.shard = $1
  AND r.ctid = ANY (ARRAY(SELECT c.place FROM closed c))
