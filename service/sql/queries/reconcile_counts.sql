-- name: reconcile_counts
-- Law 1 by the counts that reports read, folded or not: expected is what became of the promises and
-- what waits, each counted as it is. Of some practices, from day $3 on, for each day and rule of which
-- the counts differ from the promises and their texts, up to $4, by how much they differ under which
-- fates; those above 8 are receipts, parts of sent. A promise whose text is gone has no fate, and
-- reconcile_promises names it. All are served by their primary keys; a text is looked up by its own,
-- as only the promises of three days have one.
WITH promise AS (
    SELECT i.practice_id, i.due_day, i.rule_id,
           CASE
               WHEN i.state = 'x' AND i.reason = 'c' THEN 2
               WHEN i.state = 'x' AND i.reason = 'e' THEN 7
               WHEN i.state = 'x' THEN 3
               WHEN i.state = 'r' THEN (
                   SELECT CASE
                              WHEN m.state = 's' THEN 1
                              WHEN m.state = 'x' AND m.reason = 'c' THEN 2
                              WHEN m.state = 'x' AND m.reason = 'm' THEN 3
                              WHEN m.state = 'x' AND m.reason = 'o' THEN 4
                              WHEN m.state = 'x' AND m.reason = 'n' THEN 5
                              WHEN m.state = 'f' THEN 6
                              WHEN m.state = 'e' THEN 7
                              WHEN m.state = 'a' THEN 8
                          END
                   FROM message m
                   WHERE m.shard = $1
                     AND m.practice_id = i.practice_id
                     AND m.message_id = i.message_id)
           END::smallint AS fate
    FROM intent i
    WHERE i.shard = $1
      AND i.practice_id = ANY ($2)
      AND i.due_day >= $3
), recount AS (
    SELECT p.practice_id, p.due_day AS local_day, p.rule_id,
           CASE WHEN grouping(p.fate) = 1 THEN 0 ELSE p.fate END::smallint AS fate,
           count(*) AS n
    FROM promise p
    GROUP BY GROUPING SETS ((p.practice_id, p.due_day, p.rule_id),
                            (p.practice_id, p.due_day, p.rule_id, p.fate))
    HAVING grouping(p.fate) = 1 OR p.fate IS NOT NULL
), counted AS (
    SELECT b.practice_id, b.local_day, b.rule_id, b.fate, sum(b.n)::bigint AS n
    FROM (
        SELECT t.practice_id, t.local_day, t.rule_id, t.fate, t.n
        FROM tally t
        WHERE t.shard = $1 AND t.practice_id = ANY ($2) AND t.local_day >= $3 AND t.fate <= 8
        UNION ALL
        SELECT d.practice_id, d.local_day, d.rule_id, d.fate, d.n
        FROM tally_delta d
        WHERE d.shard = $1 AND d.practice_id = ANY ($2) AND d.local_day >= $3 AND d.fate <= 8
    ) AS b
    GROUP BY b.practice_id, b.local_day, b.rule_id, b.fate
), differing AS (
    SELECT practice_id, local_day, rule_id, fate,
           coalesce(c.n, 0) - coalesce(r.n, 0) AS too_many
    FROM recount r
    FULL JOIN counted c USING (practice_id, local_day, rule_id, fate)
    WHERE coalesce(c.n, 0) <> coalesce(r.n, 0)
)
SELECT d.practice_id, d.local_day, d.rule_id,
       array_agg(d.fate ORDER BY d.fate) AS fates,
       array_agg(d.too_many ORDER BY d.fate) AS too_many,
       count(*) OVER () AS violations
FROM differing d
GROUP BY d.practice_id, d.local_day, d.rule_id
ORDER BY d.local_day, d.practice_id, d.rule_id
LIMIT $4
