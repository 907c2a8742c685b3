-- name: consent_upsert
INSERT INTO consent AS c (shard, practice_id, phone, opted_out, changed_at)
SELECT s.shard, u.practice_id, u.phone, u.opted_out, $5
FROM shard s,
     unnest($2::bigint[], $3::bigint[], $4::boolean[]) AS u(practice_id, phone, opted_out)
WHERE s.shard = $1
ON CONFLICT (shard, practice_id, phone) DO UPDATE
SET opted_out = excluded.opted_out,
    changed_at = excluded.changed_at
WHERE c.changed_at <= excluded.changed_at
