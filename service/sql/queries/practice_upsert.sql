-- name: practice_upsert
-- A replan starts before the first key, or starts over.
INSERT INTO practice (shard, practice_id, revision, name, sender, replan_after, created_at)
VALUES ($1, $2, $3, $4, $5, NULL, $7)
ON CONFLICT (shard, practice_id) DO UPDATE
SET revision = excluded.revision,
    name = excluded.name,
    sender = excluded.sender,
    replan_after = CASE WHEN $6::boolean THEN '' ELSE practice.replan_after END
WHERE practice.shard = $1
