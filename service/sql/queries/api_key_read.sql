-- name: api_key_read
SELECT secret_hash
FROM api_key
WHERE shard = $1
  AND practice_id = $2
  AND key_id = $3
  AND revoked_at IS NULL
