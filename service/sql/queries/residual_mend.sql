-- name: residual_mend
-- What is in order again, of practices that were looked at from day $10 on, as they were at $11: all
-- that was open then and isn't among those found this time. What became a text for nothing isn't.
UPDATE residual r
SET mended_at = $2
WHERE r.shard = $1
  AND r.mended_at IS NULL
  AND r.told_at IS NULL
  AND r.practice_id = ANY ($3)
  AND r.due_day >= $10
  AND r.found_at <= $11
  AND NOT EXISTS (
      SELECT
      FROM unnest($4::bigint[], $5::text[], $6::smallint[], $7::date[], $8::bigint[], $9::text[])
          AS f(practice_id, appointment_id, rule_id, due_day, plan_version, kind)
      WHERE f.practice_id = r.practice_id
        AND f.appointment_id = r.appointment_id
        AND f.rule_id = r.rule_id
        AND f.due_day = r.due_day
        AND f.plan_version = r.plan_version
        AND f.kind = r.kind::text)
  AND NOT (r.kind = 's' AND EXISTS (
      SELECT
      FROM intent i
      WHERE i.shard = $1
        AND i.practice_id = r.practice_id
        AND i.appointment_id = r.appointment_id
        AND i.rule_id = r.rule_id
        AND i.plan_version = r.plan_version
        AND i.due_day = r.due_day
        AND i.state = 'r'))
