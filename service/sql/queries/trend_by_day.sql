-- name: trend_by_day
-- Folded and not yet folded, each served by its primary key.
SELECT local_day, fate, sum(n)::bigint AS n
FROM (
    SELECT t.local_day, t.fate, t.n
    FROM tally t
    WHERE t.shard = $1 AND t.practice_id = $2 AND t.local_day BETWEEN $3 AND $4
    UNION ALL
    SELECT d.local_day, d.fate, d.n
    FROM tally_delta d
    WHERE d.shard = $1 AND d.practice_id = $2 AND d.local_day BETWEEN $3 AND $4
) AS both_kinds
GROUP BY local_day, fate
ORDER BY local_day, fate
