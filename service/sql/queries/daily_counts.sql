-- name: daily_counts
-- What is folded and what is not yet: together they are the truth of this snapshot. As fate -1
-- what still waits by its promises, in the same snapshot, so that what is left over shows. A text
-- that waits may still list whom the claim will leave out, so the promise decides. All are served
-- by their primary keys.
SELECT rule_id, fate, sum(n)::bigint AS n
FROM (
    SELECT t.rule_id, t.fate, t.n
    FROM tally t
    WHERE t.shard = $1 AND t.practice_id = $2 AND t.local_day = $3
    UNION ALL
    SELECT d.rule_id, d.fate, d.n
    FROM tally_delta d
    WHERE d.shard = $1 AND d.practice_id = $2 AND d.local_day = $3
    UNION ALL
    SELECT i.rule_id, (-1)::smallint, 1
    FROM intent i
    WHERE i.shard = $1
      AND i.practice_id = $2
      AND i.due_day = $3
      AND (i.state = 'p'
           OR i.state = 'r'
              AND (SELECT m.state
                   FROM message m
                   WHERE m.shard = $1
                     AND m.practice_id = $2
                     AND m.message_id = i.message_id) = 'q')
) AS all_kinds
GROUP BY rule_id, fate
ORDER BY rule_id, fate
