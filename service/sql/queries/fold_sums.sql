-- name: fold_sums
-- Adds the deltas to the sums. The transaction sees one state throughout (REPEATABLE READ), so that
-- fold_delete removes what is added here and nothing else: ids are not committed in their order.
-- maintainer_lock keeps other folders out, so nobody else writes the shard's sums.
INSERT INTO tally AS t (shard, practice_id, local_day, rule_id, fate, n)
SELECT s.shard, d.practice_id, d.local_day, d.rule_id, d.fate, d.n
FROM shard s, (
    SELECT practice_id, local_day, rule_id, fate, sum(n) AS n
    FROM tally_delta
    WHERE shard = $1
      AND delta_id <= $2
    GROUP BY practice_id, local_day, rule_id, fate
) AS d
WHERE s.shard = $1
ON CONFLICT (shard, practice_id, local_day, rule_id, fate) DO UPDATE
SET n = t.n + excluded.n
