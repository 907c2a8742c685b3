-- name: sender_upsert
-- Returns nothing when the number is another practice's.
INSERT INTO sender AS s (sender, shard, practice_id)
VALUES ($1, $2, $3)
ON CONFLICT (sender) DO UPDATE
SET practice_id = excluded.practice_id
WHERE s.practice_id = excluded.practice_id
RETURNING sender
