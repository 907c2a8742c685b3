-- name: lane_lock_for_messages
-- FOR UPDATE in key order: a claim passes these lanes by until we commit; one that holds a lane
-- already is waited for, and what it took is seen by the statement after this one.
SELECT l.practice_id, l.phone
FROM (SELECT DISTINCT practice_id, phone
      FROM unnest($2::bigint[], $3::bigint[]) AS v(practice_id, phone)) AS u
JOIN lane l
  ON l.shard = $1 AND l.practice_id = u.practice_id AND l.phone = u.phone
ORDER BY l.practice_id, l.phone
FOR UPDATE OF l
