-- name: lane_reset
-- Gives lanes back whose head has not ended: ready for another try, or unresolved. The token is
-- raised: whoever still works under the old one comes too late. The lanes are locked by the
-- caller; ready_at is at least the floor, whose row is locked by shard_floors.
UPDATE lane l
SET state = u.state,
    token = l.token + 1,
    ready_at = u.ready_at
FROM unnest($2::bigint[], $3::bigint[], $4::"char"[], $5::timestamptz[])
         AS u(practice_id, phone, state, ready_at)
WHERE l.shard = $1
  AND l.practice_id = u.practice_id
  AND l.phone = u.phone
