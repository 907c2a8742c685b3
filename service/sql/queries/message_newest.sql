-- name: message_newest
-- The newest generation of each group, with its members, and whether it can still take in more:
-- it is queued, was never tried and is not the head of a lane that is leased or unresolved. Of what
-- was tried the provider may say later that it came through, and then it told of those in it alone.
-- The lanes are locked by lane_enter, so that what is read here holds until commit. Served by the
-- groups' unique key.
SELECT u.position, m.message_id, m.generation, m.revision, m.due_at, m.expires_at,
       m.appointment_ids, m.starts_at,
       m.state = 'q' AND m.attempts = 0 AND l.state IS NOT NULL
           AND (l.state = 'r' OR h.message_id <> m.message_id) AS is_open
FROM unnest($2::bigint[], $3::bigint[], $4::date[], $5::smallint[], $6::smallint[])
         WITH ORDINALITY AS u(practice_id, phone, local_day, rule_id, group_slot, position)
CROSS JOIN LATERAL (
    SELECT n.message_id, n.generation, n.revision, n.due_at, n.expires_at, n.appointment_ids,
           n.starts_at, n.state, n.attempts
    FROM message n
    WHERE n.shard = $1
      AND n.practice_id = u.practice_id
      AND n.phone = u.phone
      AND n.local_day = u.local_day
      AND n.rule_id = u.rule_id
      AND n.group_slot = u.group_slot
    ORDER BY n.generation DESC
    LIMIT 1
) AS m
LEFT JOIN lane l
  ON l.shard = $1 AND l.practice_id = u.practice_id AND l.phone = u.phone
LEFT JOIN LATERAL (
    SELECT i.message_id
    FROM lane_item i
    WHERE i.shard = $1 AND i.practice_id = u.practice_id AND i.phone = u.phone
    ORDER BY i.message_id
    LIMIT 1
) AS h ON true
ORDER BY u.position
