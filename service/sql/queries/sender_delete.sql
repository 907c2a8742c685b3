-- name: sender_delete
DELETE FROM sender
WHERE practice_id = $2
  AND sender <> $1
