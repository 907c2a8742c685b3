-- name: residual_insert
-- What was found of practices as they were at $13, by name. What was found before and has been open
-- since keeps its first instant, and is as it was found last; but of a practice all are the first one.
-- What was in order meanwhile begins anew, except that a replica that hasn't seen a repair yet opens
-- nothing again. Answers those that somebody was told of already, which are too late to mend.
WITH noted AS (
    INSERT INTO residual AS r
        (shard, practice_id, appointment_id, rule_id, due_day, plan_version, kind, reason, starts_at,
         due_at, closes_at, found_at, provider_ref)
    SELECT s.shard, f.practice_id, f.appointment_id, f.rule_id, f.due_day, f.plan_version,
           f.kind::"char", f.reason::"char", f.starts_at, f.due_at, f.closes_at, $2, f.provider_ref
    FROM shard s
    CROSS JOIN unnest($3::bigint[], $4::text[], $5::smallint[], $6::date[], $7::bigint[],
                $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[],
                $12::timestamptz[], $14::text[])
        AS f(practice_id, appointment_id, rule_id, due_day, plan_version, kind, reason, starts_at,
             due_at, closes_at, provider_ref)
    WHERE s.shard = $1
    ORDER BY f.practice_id, f.appointment_id, f.rule_id, f.due_day, f.plan_version, f.kind,
             f.provider_ref
    ON CONFLICT (shard, practice_id, appointment_id, rule_id, due_day, plan_version, kind,
                 provider_ref)
    DO UPDATE SET reason = excluded.reason,
                  starts_at = CASE WHEN r.mended_at > $13 OR r.mended_at IS NULL AND r.kind = 'i'
                                   THEN r.starts_at
                                   ELSE excluded.starts_at
                              END,
                  due_at = CASE WHEN r.mended_at > $13 OR r.mended_at IS NULL AND r.kind = 'i'
                                THEN r.due_at
                                ELSE excluded.due_at
                           END,
                  closes_at = CASE WHEN r.mended_at > $13 OR r.mended_at IS NULL AND r.kind = 'i'
                                   THEN r.closes_at
                                   ELSE excluded.closes_at
                              END,
                  found_at = CASE WHEN r.mended_at <= $13 THEN excluded.found_at
                                  ELSE r.found_at
                             END,
                  late_seconds = CASE WHEN r.mended_at <= $13 THEN NULL
                                      ELSE r.late_seconds
                                 END,
                  mended_at = CASE WHEN r.mended_at > $13 THEN r.mended_at END
    RETURNING r.practice_id, r.appointment_id, r.rule_id, r.due_day, r.plan_version, r.kind,
              r.told_at
)
SELECT n.practice_id, n.appointment_id, n.rule_id, n.due_day, n.plan_version, n.kind::text AS kind
FROM noted n
WHERE n.told_at IS NOT NULL
