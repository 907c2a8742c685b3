-- name: lane_enter
-- Makes the lanes that are missing and locks those that are there, in key order. The update that
-- changes nothing is the lock: until commit nobody claims, settles or deletes the lane.
-- A new lane is ready now, and never below the floor, whose row is locked by shard_floors.
INSERT INTO lane AS l (shard, practice_id, phone, state, token, ready_at)
SELECT s.shard, u.practice_id, u.phone, 'r', 0, greatest($4, s.ready_floor)
FROM shard s,
     unnest($2::bigint[], $3::bigint[]) AS u(practice_id, phone)
WHERE s.shard = $1
ORDER BY u.practice_id, u.phone
ON CONFLICT (shard, practice_id, phone) DO UPDATE
SET phone = excluded.phone
