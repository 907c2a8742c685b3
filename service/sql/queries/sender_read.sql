-- name: sender_read
SELECT practice_id
FROM sender
WHERE sender = $1
