-- name: news_apply
-- Receipts and replies of texts in one statement, so that the texts are locked in key order, which
-- is the order in which the keys are given, whatever came of each: who settles locks them so too.
-- A receipt that says no more than is known touches nothing (0 is none), nor does one of another
-- text: where a primary was lost with what no other server had received, a message's number is given
-- again, and only the provider's name for what was sent tells the two apart. A later reply replaces
-- an earlier one. Locking inside of LATERAL keeps the order and the way: whatever the statistics say,
-- each is looked up by its primary key.
WITH known AS (
    SELECT u.practice_id, u.message_id, n.receipt AS receipt_before, n.reply AS reply_before,
           n.is_received, u.receipt, u.provider_ref, u.error_code, u.reply
    FROM unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::integer[],
                $7::"char"[])
             AS u(practice_id, message_id, receipt, provider_ref, error_code, reply)
    CROSS JOIN LATERAL (
        SELECT o.receipt, o.reply,
               o.receipt < u.receipt AND (o.state <> 's' OR o.provider_ref = u.provider_ref)
                   AS is_received
        FROM message o
        WHERE o.shard = $1
          AND o.practice_id = u.practice_id
          AND o.message_id = u.message_id
          AND (u.reply IS NOT NULL
               OR o.receipt < u.receipt AND (o.state <> 's' OR o.provider_ref = u.provider_ref))
        FOR UPDATE
    ) AS n
)
UPDATE message m
SET receipt = CASE WHEN k.is_received THEN k.receipt ELSE m.receipt END,
    receipt_at = CASE WHEN k.is_received THEN $8 ELSE m.receipt_at END,
    provider_ref = coalesce(m.provider_ref, k.provider_ref),
    error_code = CASE WHEN k.is_received THEN coalesce(k.error_code, m.error_code)
                      ELSE m.error_code END,
    reply = coalesce(k.reply, m.reply),
    replied_at = CASE WHEN k.reply IS NULL THEN m.replied_at ELSE $8 END
FROM known k
WHERE m.shard = $1
  AND m.practice_id = k.practice_id
  AND m.message_id = k.message_id
RETURNING m.practice_id, m.message_id, m.local_day, m.rule_id, m.sent_at, m.receipt,
          k.receipt_before, k.reply IS NOT NULL AND k.reply_before IS NULL AS is_first_reply,
          coalesce((m.reply = 'y')::integer, 0) - coalesce((k.reply_before = 'y')::integer, 0)
              AS confirmed,
          cardinality(m.appointment_ids) AS members
