-- name: practice_revision_insert
-- For shard = $1 of the practice.
INSERT INTO practice_revision
    (shard, practice_id, revision, timezone, send_from, send_until, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
