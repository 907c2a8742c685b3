-- name: lane_lock_for_messages
-- FOR UPDATE in key order: a claim passes these lanes by until we commit; one that holds a lane
-- already is waited for, and what it took is seen by the statement after this one. Locking inside
-- of LATERAL keeps the order and the way: each is looked up by its primary key.
SELECT l.practice_id, l.phone
FROM (SELECT DISTINCT practice_id, phone
      FROM unnest($2::bigint[], $3::bigint[]) AS v(practice_id, phone)
      ORDER BY practice_id, phone) AS u
CROSS JOIN LATERAL (
    SELECT k.practice_id, k.phone
    FROM lane k
    WHERE k.shard = $1 AND k.practice_id = u.practice_id AND k.phone = u.phone
    FOR UPDATE
) AS l
