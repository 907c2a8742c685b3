-- name: appointment_replan_page
-- The next page of a practice's appointments by key, with those that are to be planned again.
-- Served by the primary key.
SELECT appointment_id,
       revision < $4 AND status = 'b' AND starts_at > $5 AS outdated
FROM appointment
WHERE shard = $1
  AND practice_id = $2
  AND appointment_id > $3
ORDER BY appointment_id
LIMIT $6
