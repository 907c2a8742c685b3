-- name: message_insert
-- One text for each group, in the order in which they were due: a lane's order is that of the ids.
-- A group and generation that is there already is left alone and comes back as no row.
INSERT INTO message
    (shard, practice_id, phone, local_day, rule_id, group_slot, generation, state, segments,
     revision, due_at, expires_at, released_at, appointment_ids, starts_at, body)
SELECT s.shard, u.practice_id, u.phone, u.local_day, u.rule_id, u.group_slot, u.generation, 'q',
       u.segments, u.revision, u.due_at, u.expires_at, $2, u.appointment_ids::text[],
       u.starts_at::timestamptz[], u.body
FROM shard s,
     unnest($3::bigint[], $4::bigint[], $5::date[], $6::smallint[], $7::smallint[],
            $8::smallint[], $9::smallint[], $10::integer[], $11::timestamptz[],
            $12::timestamptz[], $13::text[], $14::text[], $15::text[])
         WITH ORDINALITY
         AS u(practice_id, phone, local_day, rule_id, group_slot, generation, segments, revision,
              due_at, expires_at, appointment_ids, starts_at, body, position)
WHERE s.shard = $1
ORDER BY u.position
ON CONFLICT (shard, practice_id, phone, local_day, rule_id, group_slot, generation) DO NOTHING
RETURNING practice_id, phone, local_day, rule_id, group_slot, message_id
