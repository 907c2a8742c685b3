-- name: residual_tell
-- What is too late to mend, and whoever ran a repair is told of by name: no longer open.
UPDATE residual r
SET told_at = $2
FROM unnest($3::bigint[], $4::text[], $5::smallint[], $6::date[], $7::bigint[], $8::text[],
            $9::text[])
    AS f(practice_id, appointment_id, rule_id, due_day, plan_version, kind, provider_ref)
WHERE r.shard = $1
  AND r.practice_id = f.practice_id
  AND r.appointment_id = f.appointment_id
  AND r.rule_id = f.rule_id
  AND r.due_day = f.due_day
  AND r.plan_version = f.plan_version
  AND r.kind::text = f.kind
  AND r.provider_ref = f.provider_ref
  AND r.mended_at IS NULL
  AND r.told_at IS NULL
