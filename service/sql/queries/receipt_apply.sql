-- name: receipt_apply
-- Locks in key order, then writes only what says more than is known: a repeated or an older
-- receipt touches nothing. Served by the primary key.
WITH known AS (
    SELECT m.practice_id, m.message_id, m.receipt, u.receipt AS new_receipt, u.provider_ref,
           u.error_code
    FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::integer[])
             AS u(practice_id, message_id, receipt, provider_ref, error_code)
    JOIN message m
      ON m.shard = $1 AND m.practice_id = u.practice_id AND m.message_id = u.message_id
    WHERE m.receipt < u.receipt
    ORDER BY m.practice_id, m.message_id
    FOR UPDATE OF m
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
