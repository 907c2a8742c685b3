-- name: fold_edge
-- How far the next fold goes: LIMIT $2 deltas, oldest first: all of the shard's
-- are looked at, in the primary key, for all but a backlog's are folded.
SELECT max(d.delta_id), count(*)
FROM (
    SELECT delta_id
    FROM tally_delta
    WHERE shard = $1
    ORDER BY delta_id
    LIMIT $2
) AS d
