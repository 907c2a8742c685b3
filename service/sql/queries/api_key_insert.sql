-- name: api_key_insert
-- The next number of the practice; two at a time collide on the key and one is told to try again.
INSERT INTO api_key (shard, practice_id, key_id, secret_hash, created_at)
SELECT s.shard, $2, coalesce(max(k.key_id), 0) + 1, $3, $4
FROM shard s
LEFT JOIN api_key k ON k.shard = $1 AND k.practice_id = $2
WHERE s.shard = $1
GROUP BY s.shard
RETURNING key_id
