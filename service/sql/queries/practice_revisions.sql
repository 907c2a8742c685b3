-- name: practice_revisions
-- Which revision each of some practices has now: what is remembered of them is asked for together.
-- Each is looked up by its primary key.
SELECT p.practice_id, p.revision
FROM practice p
WHERE p.shard = $1
  AND p.practice_id = ANY ($2)
