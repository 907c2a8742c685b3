-- name: intent_insert
-- The shard's row is locked by shard_floors, so the floor read here still holds at commit.
INSERT INTO intent
    (due_day, shard, practice_id, appointment_id, rule_id, plan_version, state, group_slot,
     revision, phone, due_at, starts_at)
SELECT u.due_day, s.shard, u.practice_id, u.appointment_id, u.rule_id, u.plan_version, 'p',
       u.group_slot, u.revision, u.phone, greatest(u.due_at, s.release_floor), u.starts_at
FROM shard s,
     unnest($2::date[], $3::bigint[], $4::text[], $5::smallint[], $6::bigint[], $7::smallint[],
            $8::integer[], $9::bigint[], $10::timestamptz[], $11::timestamptz[])
         AS u(due_day, practice_id, appointment_id, rule_id, plan_version, group_slot, revision,
              phone, due_at, starts_at)
WHERE s.shard = $1
