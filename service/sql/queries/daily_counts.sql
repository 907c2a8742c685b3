-- name: daily_counts
-- What is folded and what is not yet: together they are the truth of this snapshot. Both are served
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
) AS both_kinds
GROUP BY rule_id, fate
ORDER BY rule_id, fate
