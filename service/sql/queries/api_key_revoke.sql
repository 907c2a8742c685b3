-- name: api_key_revoke
UPDATE api_key
SET revoked_at = $4
WHERE shard = $1
  AND practice_id = $2
  AND key_id = $3
  AND revoked_at IS NULL
RETURNING key_id
