-- name: residual_late
-- How late promises were planned that had been missing, in seconds of domain time from when they
-- were to leave.
UPDATE residual r
SET late_seconds = greatest(0, least(2147483647, extract(epoch FROM $2 - r.due_at)))::integer
FROM unnest($3::bigint[], $4::text[], $5::smallint[], $6::date[])
    AS f(practice_id, appointment_id, rule_id, due_day)
WHERE r.shard = $1
  AND r.practice_id = f.practice_id
  AND r.appointment_id = f.appointment_id
  AND r.rule_id = f.rule_id
  AND r.due_day = f.due_day
  AND r.plan_version = 0
  AND r.kind = 'm'
  AND r.mended_at IS NULL
  AND r.told_at IS NULL
