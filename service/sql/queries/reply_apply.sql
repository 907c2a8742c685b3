-- name: reply_apply
-- Locks in key order, which is the order in which the keys are given. A later answer replaces an
-- earlier one; the first one counts.
WITH known AS (
    SELECT u.practice_id, u.message_id, n.reply AS before, u.kind
    FROM unnest($2::bigint[], $3::bigint[], $4::"char"[]) AS u(practice_id, message_id, kind)
    CROSS JOIN LATERAL (
        SELECT o.reply
        FROM message o
        WHERE o.shard = $1 AND o.practice_id = u.practice_id AND o.message_id = u.message_id
        FOR UPDATE
    ) AS n
)
UPDATE message m
SET reply = k.kind,
    replied_at = $5
FROM known k
WHERE m.shard = $1
  AND m.practice_id = k.practice_id
  AND m.message_id = k.message_id
RETURNING m.practice_id, m.local_day, m.rule_id,
          CASE WHEN k.before IS NULL THEN cardinality(m.appointment_ids) ELSE 0 END AS members
