-- name: appointment_unplanned
-- Appointments with a reminder that has come inside the horizon. Served by appointment_unplanned.
SELECT practice_id, appointment_id
FROM appointment
WHERE shard = $1
  AND unplanned_from IS NOT NULL
  AND unplanned_from <= $2
ORDER BY practice_id, appointment_id
LIMIT $3
