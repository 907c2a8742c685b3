-- name: practice_replanning
-- A practice whose appointments are to be planned again. Served by practice_replan.
SELECT p.practice_id, p.revision, p.replan_after, v.created_at AS changed_at
FROM practice p
JOIN practice_revision v
  ON v.shard = $1 AND v.practice_id = p.practice_id AND v.revision = p.revision
WHERE p.shard = $1
  AND p.replan_after IS NOT NULL
ORDER BY v.created_at
LIMIT 1
