-- name: observe_shard
-- How much stands before each stage of a shard, and since when. LIMIT $6: what is deeper is told
-- as that much, so that a deep backlog costs no more to look at. Each scan begins at a floor and
-- is served by the partial index of its state: intent_due of the weeks of $3 to $4, lane_ready,
-- lane_leased, lane_unresolved. And whether there are counts to fold, and when whoever folds last
-- left none.
SELECT
    (SELECT count(*)
     FROM (
         SELECT
         FROM intent i
         WHERE i.shard = $1
           AND i.due_day BETWEEN $3 AND $4
           AND i.state = 'p'
           AND i.due_at >= s.release_floor
           AND i.due_at <= $2
         LIMIT $6
     ) AS due) AS due,
    (SELECT i.due_at
     FROM intent i
     WHERE i.shard = $1
       AND i.due_day BETWEEN $3 AND $4
       AND i.state = 'p'
       AND i.due_at >= s.release_floor
       AND i.due_at <= $2
     ORDER BY i.due_at
     LIMIT 1) AS due_since,
    (SELECT count(*)
     FROM (
         SELECT
         FROM lane l
         WHERE l.shard = $1
           AND l.state = 'r'
           AND l.ready_at >= s.ready_floor
           AND l.ready_at <= $5
         LIMIT $6
     ) AS ready) AS ready,
    (SELECT l.ready_at
     FROM lane l
     WHERE l.shard = $1
       AND l.state = 'r'
       AND l.ready_at >= s.ready_floor
       AND l.ready_at <= $5
     ORDER BY l.ready_at
     LIMIT 1) AS ready_since,
    (SELECT count(*)
     FROM (
         SELECT
         FROM lane l
         WHERE l.shard = $1
           AND l.state = 'l'
         LIMIT $6
     ) AS leased) AS leased,
    (SELECT count(*)
     FROM (
         SELECT
         FROM lane l
         WHERE l.shard = $1
           AND l.state = 'u'
         LIMIT $6
     ) AS unresolved) AS unresolved,
    (SELECT l.ready_at
     FROM lane l
     WHERE l.shard = $1
       AND l.state = 'u'
     ORDER BY l.ready_at
     LIMIT 1) AS unresolved_since,
    EXISTS (
        SELECT
        FROM tally_delta d
        WHERE d.shard = $1) AS is_unfolded,
    (SELECT m.ran_at
     FROM maintainer m
     WHERE m.shard = $1
       AND m.stage = 'fold') AS folded_at
FROM shard s
WHERE s.shard = $1
