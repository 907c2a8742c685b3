-- name: fold_delete
DELETE FROM tally_delta
WHERE shard = $1
  AND delta_id <= $2
