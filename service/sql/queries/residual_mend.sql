-- name: residual_mend
-- What is in order again, of practices that were looked at: all that was open and isn't among those
-- found this time.
UPDATE residual r
SET mended_at = $2
WHERE r.shard = $1
  AND r.mended_at IS NULL
  AND r.practice_id = ANY ($3)
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
