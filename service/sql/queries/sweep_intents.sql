-- name: sweep_intents
-- Planned intents below the floor or of a day that release doesn't name any more: must be none.
-- Looks below the floor on purpose. $2 is the first day after those that can be due. Served by
-- intent_due of each week before that.
SELECT (
    SELECT count(*)
    FROM intent i
    WHERE i.shard = $1
      AND i.due_day < $2
      AND i.state = 'p'
      AND i.due_at < s.release_floor
) + (
    SELECT count(*)
    FROM intent i
    WHERE i.shard = $1
      AND i.due_day < s.release_day
      AND i.due_day < $2
      AND i.state = 'p'
      AND i.due_at >= s.release_floor
) AS stranded
FROM shard s
WHERE s.shard = $1
