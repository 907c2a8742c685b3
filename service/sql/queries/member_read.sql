-- name: member_read
-- What a text says of its appointments. Served by the primary key.
SELECT u.position, a.patient_name, a.instructions
FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS u(practice_id, appointment_id, position)
JOIN appointment a
  ON a.shard = $1 AND a.practice_id = u.practice_id AND a.appointment_id = u.appointment_id
ORDER BY u.position
