-- name: attempt_outcome_insert
INSERT INTO attempt_outcome
    (local_day, shard, practice_id, message_id, attempt_no, outcome, http_status, error_code,
     provider_ref, finished_at)
SELECT u.local_day, s.shard, u.practice_id, u.message_id, u.attempt_no, u.outcome, u.http_status,
       u.error_code, u.provider_ref, u.finished_at
FROM shard s,
     unnest($2::date[], $3::bigint[], $4::bigint[], $5::smallint[], $6::"char"[], $7::smallint[],
            $8::integer[], $9::text[], $10::timestamptz[])
         AS u(local_day, practice_id, message_id, attempt_no, outcome, http_status, error_code,
              provider_ref, finished_at)
WHERE s.shard = $1
