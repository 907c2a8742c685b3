-- name: receipt_apply
-- Locks in key order, which is the order in which the keys are given, then writes only what says
-- more than is known: a repeated or an older receipt touches nothing. Locking inside of LATERAL
-- keeps that order and the way: whatever the statistics say, each is looked up by its primary key.
WITH known AS (
    SELECT u.practice_id, u.message_id, n.receipt, u.receipt AS new_receipt, u.provider_ref,
           u.error_code
    FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::integer[])
             AS u(practice_id, message_id, receipt, provider_ref, error_code)
    CROSS JOIN LATERAL (
        SELECT o.receipt
        FROM message o
        WHERE o.shard = $1
          AND o.practice_id = u.practice_id
          AND o.message_id = u.message_id
          AND o.receipt < u.receipt
        FOR UPDATE
    ) AS n
)
UPDATE message m
SET receipt = k.new_receipt,
    receipt_at = $7,
    provider_ref = coalesce(m.provider_ref, k.provider_ref),
    error_code = coalesce(k.error_code, m.error_code)
FROM known k
WHERE m.shard = $1
  AND m.practice_id = k.practice_id
  AND m.message_id = k.message_id
RETURNING m.practice_id, m.message_id, m.local_day, m.rule_id, m.sent_at, m.receipt,
          k.receipt AS receipt_before, cardinality(m.appointment_ids) AS members
