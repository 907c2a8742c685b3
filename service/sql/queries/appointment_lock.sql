-- name: appointment_lock
-- FOR UPDATE in key order: everything about an appointment is serialised here, and batches that
-- share appointments wait for each other instead of in a circle. Served by the primary key.
SELECT a.practice_id, a.appointment_id, a.version, a.revision, a.status, a.starts_at, a.phone,
       a.patient_name, a.instructions, a.planned_at, a.intent_days, a.unplanned_from
FROM unnest($2::bigint[], $3::text[]) AS u(practice_id, appointment_id)
JOIN appointment a
  ON a.shard = $1 AND a.practice_id = u.practice_id AND a.appointment_id = u.appointment_id
ORDER BY a.practice_id, a.appointment_id
FOR UPDATE OF a
