-- name: practice_replanned
-- Not if the practice was changed again meanwhile: that started over.
UPDATE practice
SET replan_after = $4
WHERE shard = $1
  AND practice_id = $2
  AND revision = $3
