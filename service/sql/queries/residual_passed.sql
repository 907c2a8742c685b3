-- name: residual_passed
-- What is open of a shard and no look finds in order any more: of days before $2, at which none
-- looks, and what is final. By name, up to $3, the most urgent first.
SELECT r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version, r.kind::text AS kind,
       r.reason::text AS reason, r.provider_ref, r.starts_at, r.due_at, r.closes_at,
       count(*) OVER () AS violations
FROM open_residual r
WHERE r.shard = $1
  AND (r.due_day < $2 OR r.is_final)
ORDER BY r.closes_at, r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version,
         r.provider_ref
LIMIT $3
