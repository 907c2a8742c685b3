-- name: residual_page
-- Promises of a shard that are out of order, by name, the most urgent first; of one practice where
-- $2 is given.
SELECT r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version, r.kind::text AS kind,
       r.reason::text AS reason, r.provider_ref, r.starts_at, r.due_at, r.closes_at, r.found_at
FROM open_residual r
WHERE r.shard = $1
  AND ($2::bigint IS NULL OR r.practice_id = $2)
ORDER BY r.closes_at, r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version,
         r.provider_ref
LIMIT $3
