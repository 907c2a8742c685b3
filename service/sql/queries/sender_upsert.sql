-- name: sender_upsert
-- Returns nothing when another practice sends from the number. The mark is in the row itself, as
-- that is locked and read anew before it is judged: the other practice's own row, read beside it,
-- would be as old as the statement's snapshot.
INSERT INTO sender AS s (sender, shard, practice_id, is_current)
VALUES ($1, $2, $3, true)
ON CONFLICT (sender) DO UPDATE
SET shard = excluded.shard,
    practice_id = excluded.practice_id,
    is_current = true
WHERE s.practice_id = excluded.practice_id
   OR NOT s.is_current
RETURNING sender
