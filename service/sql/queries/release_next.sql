-- name: release_next
-- When the next planned intent is due: one step into intent_due of each week of the days from $2 to
-- $3, from the floor on, past the practices that are set aside ($4).
SELECT i.due_at
FROM intent i
WHERE i.shard = $1
  AND i.due_day BETWEEN $2 AND $3
  AND i.state = 'p'
  AND i.due_at >= (SELECT s.release_floor FROM shard s WHERE s.shard = $1)
  AND i.practice_id <> ALL ($4::bigint[])
ORDER BY i.due_at
LIMIT 1
