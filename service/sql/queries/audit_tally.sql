-- name: audit_tally
-- The counts that reports read, folded or not, against a recount of the rows, from the day on from
-- which promises are kept: older counts stay when theirs are dropped.
WITH recount AS (
    SELECT practice_id, local_day, rule_id, fate, count(*) AS n
    FROM (
        SELECT i.practice_id, i.due_day AS local_day, i.rule_id, f.fate
        FROM intent i
        LEFT JOIN message m
          ON m.shard = $1 AND m.practice_id = i.practice_id AND m.message_id = i.message_id
        CROSS JOIN LATERAL (
            VALUES
                (0),
                (CASE WHEN i.state = 'r' AND m.state = 's' THEN 1 END),
                (CASE WHEN i.state = 'x' AND i.reason = 'c'
                        OR i.state = 'r' AND m.state = 'x' AND m.reason = 'c' THEN 2 END),
                (CASE WHEN i.state = 'x' AND i.reason = 'm'
                        OR i.state = 'r' AND m.state = 'x' AND m.reason = 'm' THEN 3 END),
                (CASE WHEN i.state = 'r' AND m.state = 'x' AND m.reason = 'o' THEN 4 END),
                (CASE WHEN i.state = 'r' AND m.state = 'x' AND m.reason = 'n' THEN 5 END),
                (CASE WHEN i.state = 'r' AND m.state = 'f' THEN 6 END),
                (CASE WHEN i.state = 'x' AND i.reason = 'e'
                        OR i.state = 'r' AND m.state = 'e' THEN 7 END),
                (CASE WHEN i.state = 'r' AND m.state = 'a' THEN 8 END)
        ) AS f(fate)
        WHERE i.shard = $1
          AND i.due_day >= (SELECT from_day FROM retention WHERE partitioned = 'intent')
    ) AS fates
    WHERE fate IS NOT NULL
    GROUP BY practice_id, local_day, rule_id, fate
), counted AS (
    SELECT practice_id, local_day, rule_id, fate, sum(n) AS n
    FROM (
        SELECT t.practice_id, t.local_day, t.rule_id, t.fate, t.n
        FROM tally t WHERE t.shard = $1
        UNION ALL
        SELECT d.practice_id, d.local_day, d.rule_id, d.fate, d.n
        FROM tally_delta d WHERE d.shard = $1
    ) AS both_kinds
    -- Delivered, undelivered, replied and confirmed are parts of sent, counted by the receipts.
    WHERE fate <= 8
      AND local_day >= (SELECT from_day FROM retention WHERE partitioned = 'intent')
    GROUP BY practice_id, local_day, rule_id, fate
    HAVING sum(n) <> 0
), compared AS (
    SELECT practice_id, local_day, rule_id, fate,
           coalesce(r.n, 0) AS rows_say, coalesce(c.n, 0) AS counts_say
    FROM recount r
    FULL JOIN counted c USING (practice_id, local_day, rule_id, fate)
)
SELECT count(*) AS cases,
       count(*) FILTER (WHERE rows_say <> counts_say) AS violations,
       (array_agg(format('practice %s day %s rule %s fate %s: rows say %s, counts say %s',
                         practice_id, local_day, rule_id, fate, rows_say, counts_say))
            FILTER (WHERE rows_say <> counts_say))[1:10] AS examples
FROM compared
