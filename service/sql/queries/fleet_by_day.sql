-- name: fleet_by_day
-- Folded: served by tally_day. Not yet folded: all of the shard's are looked at; there are few,
-- and how far folding is behind is watched.
SELECT local_day, fate, sum(n)::bigint AS n, count(DISTINCT practice_id) AS practices
FROM (
    SELECT t.practice_id, t.local_day, t.fate, t.n
    FROM tally t
    WHERE t.shard = $1 AND t.local_day BETWEEN $2 AND $3
    UNION ALL
    SELECT d.practice_id, d.local_day, d.fate, d.n
    FROM tally_delta d
    WHERE d.shard = $1 AND d.local_day BETWEEN $2 AND $3
) AS both_kinds
GROUP BY local_day, fate
ORDER BY local_day, fate
