-- name: settle_lock
-- Which completions still hold: their lane has the token and the state under which the work was
-- taken, and their text is still in it. What comes back is locked, FOR UPDATE in key order; what
-- doesn't is stale. Served by the primary keys.
SELECT u.position
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::"char"[])
         WITH ORDINALITY AS u(practice_id, phone, token, message_id, state, position)
JOIN lane l
  ON l.shard = $1
 AND l.practice_id = u.practice_id
 AND l.phone = u.phone
 AND l.token = u.token
 AND l.state = u.state
JOIN lane_item i
  ON i.shard = $1
 AND i.practice_id = u.practice_id
 AND i.phone = u.phone
 AND i.message_id = u.message_id
ORDER BY l.practice_id, l.phone
FOR UPDATE OF l
