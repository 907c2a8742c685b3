-- name: residual_mend
-- What is in order again, of practices that were looked at from day $10 on, as they were at $11: all
-- that was open then and isn't among those found this time. What is final isn't. Reached by ctid:
-- nothing moves a row but these statements, and one that is told meanwhile may be both.
UPDATE residual r
SET mended_at = $2
FROM open_residual o
WHERE o.shard = $1
  AND o.practice_id = ANY ($3)
  AND o.due_day >= $10
  AND o.found_at <= $11
  AND NOT o.is_final
  AND NOT EXISTS (
      SELECT
      FROM unnest($4::bigint[], $5::text[], $6::smallint[], $7::date[], $8::bigint[], $9::text[])
          AS f(practice_id, appointment_id, rule_id, due_day, plan_version, kind)
      WHERE f.practice_id = o.practice_id
        AND f.appointment_id = o.appointment_id
        AND f.rule_id = o.rule_id
        AND f.due_day = o.due_day
        AND f.plan_version = o.plan_version
        AND f.kind = o.kind::text)
  AND r.shard = $1
  AND r.ctid = o.place
