-- name: settle_lock
-- Which completions still hold: their lane has the token and the state under which the work was
-- taken, and their text is still in it. What comes back is locked, FOR UPDATE in key order; what
-- doesn't is stale. Each is looked up by its primary key, whatever the statistics say: OFFSET 0
-- keeps the planner from reading a lane_item that it believes to be empty once for each.
SELECT u.position
FROM (SELECT practice_id, phone, token, message_id, state, position
      FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::"char"[])
               WITH ORDINALITY AS v(practice_id, phone, token, message_id, state, position)
      ORDER BY practice_id, phone) AS u
CROSS JOIN LATERAL (
    SELECT i.message_id
    FROM lane_item i
    WHERE i.shard = $1
      AND i.practice_id = u.practice_id
      AND i.phone = u.phone
      AND i.message_id = u.message_id
    OFFSET 0
) AS t
CROSS JOIN LATERAL (
    SELECT k.phone
    FROM lane k
    WHERE k.shard = $1
      AND k.practice_id = u.practice_id
      AND k.phone = u.phone
      AND k.token = u.token
      AND k.state = u.state
    FOR UPDATE
) AS l
