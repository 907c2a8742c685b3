-- name: fold_edge
-- How far the next fold goes: LIMIT $2 deltas, oldest first. Served by the primary key.
SELECT max(d.delta_id), count(*)
FROM (
    SELECT delta_id
    FROM tally_delta
    WHERE shard = $1
    ORDER BY delta_id
    LIMIT $2
) AS d
