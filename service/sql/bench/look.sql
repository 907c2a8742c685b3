-- name: look
SELECT count(*) FROM shard
