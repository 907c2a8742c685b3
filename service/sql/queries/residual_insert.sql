-- name: residual_insert
-- What was found, by name. What was found before and has been open since keeps its first instant; a
-- replica that hasn't seen a repair yet takes away nothing of what was noted of it.
INSERT INTO residual AS r
    (shard, practice_id, appointment_id, rule_id, due_day, plan_version, kind, reason, starts_at,
     due_at, closes_at, found_at)
SELECT s.shard, f.practice_id, f.appointment_id, f.rule_id, f.due_day, f.plan_version,
       f.kind::"char", f.reason::"char", f.starts_at, f.due_at, f.closes_at, $2
FROM shard s
CROSS JOIN unnest($3::bigint[], $4::text[], $5::smallint[], $6::date[], $7::bigint[], $8::text[],
            $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[])
    AS f(practice_id, appointment_id, rule_id, due_day, plan_version, kind, reason, starts_at,
         due_at, closes_at)
WHERE s.shard = $1
ORDER BY f.practice_id, f.appointment_id, f.rule_id, f.due_day, f.plan_version, f.kind
ON CONFLICT (shard, practice_id, appointment_id, rule_id, due_day, plan_version, kind)
DO UPDATE SET reason = excluded.reason,
              found_at = CASE WHEN r.mended_at IS NULL THEN r.found_at ELSE excluded.found_at END,
              mended_at = NULL
