-- name: observe_due
-- Promises that fall due in a stretch of domain time that has only just begun: all of them are
-- still planned. Served by intent_due of the weeks of $4 to $5.
SELECT count(*)
FROM intent i
WHERE i.shard = $1
  AND i.due_day BETWEEN $4 AND $5
  AND i.state = 'p'
  AND i.due_at > $2
  AND i.due_at <= $3
