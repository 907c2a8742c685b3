-- name: attempt_insert
-- Committed before the first byte leaves.
INSERT INTO attempt
    (local_day, shard, practice_id, message_id, attempt_no, token, sender, started_at)
SELECT u.local_day, s.shard, u.practice_id, u.message_id, u.attempt_no, u.token, u.sender, $2
FROM shard s,
     unnest($3::date[], $4::bigint[], $5::bigint[], $6::smallint[], $7::bigint[],
            $8::bigint[])
         AS u(local_day, practice_id, message_id, attempt_no, token, sender)
WHERE s.shard = $1
