-- name: message_rewrite
-- Gives queued texts other members and the words for them. Their lanes are locked by the caller.
UPDATE message m
SET body = u.body,
    segments = u.segments,
    revision = u.revision,
    due_at = u.due_at,
    expires_at = u.expires_at,
    appointment_ids = u.appointment_ids::text[],
    starts_at = u.starts_at::timestamptz[]
FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::integer[],
            $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[])
         AS u(practice_id, message_id, body, segments, revision, due_at, expires_at,
              appointment_ids, starts_at)
WHERE m.shard = $1
  AND m.practice_id = u.practice_id
  AND m.message_id = u.message_id
