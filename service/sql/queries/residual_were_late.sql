-- name: residual_were_late
-- Promises of a shard that a repair planned late and that have been in order since $2 or later, by
-- name, the latest first, LIMIT $3. What is repaired is little: the shard's rows are all looked at.
SELECT r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version, r.kind::text AS kind,
       r.reason::text AS reason, r.provider_ref, r.starts_at, r.due_at, r.closes_at, r.late_seconds,
       r.mended_at
FROM residual r
WHERE r.shard = $1
  AND r.mended_at >= $2
  AND r.late_seconds > 0
ORDER BY r.late_seconds DESC, r.practice_id, r.appointment_id, r.rule_id, r.due_day
LIMIT $3
