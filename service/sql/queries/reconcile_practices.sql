-- name: reconcile_practices
-- The practices whose turn it is: those of $4 slots of $2 from slot $3 on, a page of $6 in the order
-- of their numbers.
SELECT p.practice_id
FROM practice p
WHERE p.shard = $1
  AND p.practice_id > $5
  AND (turn_of(p.practice_id, $2) - $3 + $2) % $2 < $4
ORDER BY p.practice_id
LIMIT $6
