-- name: member_read
-- What a text says of its appointments. Served by the primary key.
SELECT u.position, a.patient_name, a.instructions
FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS u(practice_id, appointment_id, position)
CROSS JOIN LATERAL (
    SELECT b.patient_name, b.instructions
    FROM appointment b
    WHERE b.shard = $1
      AND b.practice_id = u.practice_id
      AND b.appointment_id = u.appointment_id
    LIMIT 1
) AS a
ORDER BY u.position
