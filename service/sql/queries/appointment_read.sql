-- name: appointment_read
SELECT version, status, starts_at, phone, patient_name, instructions, intent_days
FROM appointment
WHERE shard = $1
  AND practice_id = $2
  AND appointment_id = $3
