-- name: appointment_lock
-- FOR UPDATE in key order, which is the order in which the keys are given: everything about an
-- appointment is serialised here, and batches that share appointments wait for each other instead
-- of in a circle. Locking inside of LATERAL keeps that order and the way: whatever the statistics
-- say, each is looked up by its primary key.
SELECT a.practice_id, a.appointment_id, a.version, a.revision, a.status, a.starts_at, a.phone,
       a.patient_name, a.instructions, a.planned_at, a.revised_at, a.intent_days, a.unplanned_from
FROM unnest($2::bigint[], $3::text[]) AS u(practice_id, appointment_id)
CROSS JOIN LATERAL (
    SELECT p.practice_id, p.appointment_id, p.version, p.revision, p.status, p.starts_at, p.phone,
           p.patient_name, p.instructions, p.planned_at, p.revised_at, p.intent_days,
           p.unplanned_from
    FROM appointment p
    WHERE p.shard = $1
      AND p.practice_id = u.practice_id
      AND p.appointment_id = u.appointment_id
    FOR UPDATE
) AS a
