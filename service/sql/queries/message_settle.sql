-- name: message_settle
-- What became of texts. Their receipts may be coming in at the same time, so the rows are locked
-- first, FOR UPDATE in key order, as receipts do; locking inside of LATERAL keeps the order and the
-- way. Returns the texts whose receipt was here before that they were sent was known. Served by the
-- primary key.
WITH locked AS (
    SELECT u.practice_id, u.message_id, u.state, u.reason, u.attempts, u.error_code, u.sent_at,
           u.provider_ref
    FROM (SELECT practice_id, message_id, state, reason, attempts, error_code, sent_at, provider_ref
          FROM unnest($2::bigint[], $3::bigint[], $4::"char"[], $5::"char"[], $6::smallint[],
                      $7::integer[], $8::timestamptz[], $9::text[])
                   AS v(practice_id, message_id, state, reason, attempts, error_code, sent_at,
                        provider_ref)
          ORDER BY practice_id, message_id) AS u
    CROSS JOIN LATERAL (
        SELECT n.message_id
        FROM message n
        WHERE n.shard = $1 AND n.practice_id = u.practice_id AND n.message_id = u.message_id
        FOR UPDATE
    ) AS h
), settled AS (
    UPDATE message m
    SET state = k.state,
        reason = k.reason,
        attempts = k.attempts,
        error_code = coalesce(k.error_code, m.error_code),
        sent_at = k.sent_at,
        provider_ref = coalesce(k.provider_ref, m.provider_ref)
    FROM locked k
    WHERE m.shard = $1
      AND m.practice_id = k.practice_id
      AND m.message_id = k.message_id
    RETURNING m.sent_at, m.receipt_at
)
SELECT sent_at, receipt_at
FROM settled
WHERE sent_at IS NOT NULL
  AND receipt_at IS NOT NULL
