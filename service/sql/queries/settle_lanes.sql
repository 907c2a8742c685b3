-- name: settle_lanes
-- Takes ended texts out of their lanes. A lane with more to send is ready for it at once, one
-- without goes. The lanes are locked by settle_lock, so nothing can come in between, and rows stay
-- where they are found: they are looked up once, by their primary keys, and reached by ctid. A join
-- would do for a table that its statistics know; these are full one moment and empty the next.
-- $5 is at least the floor, whose row is locked by shard_floors.
WITH ended AS MATERIALIZED (
    SELECT l.place AS lane, i.place AS item, n.message_id IS NOT NULL AS has_more
    FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS u(practice_id, phone, message_id)
    CROSS JOIN LATERAL (
        SELECT k.ctid AS place
        FROM lane k
        WHERE k.shard = $1 AND k.practice_id = u.practice_id AND k.phone = u.phone
        OFFSET 0
    ) AS l
    CROSS JOIN LATERAL (
        SELECT h.ctid AS place
        FROM lane_item h
        WHERE h.shard = $1
          AND h.practice_id = u.practice_id
          AND h.phone = u.phone
          AND h.message_id = u.message_id
        OFFSET 0
    ) AS i
    LEFT JOIN LATERAL (
        SELECT o.message_id
        FROM lane_item o
        WHERE o.shard = $1
          AND o.practice_id = u.practice_id
          AND o.phone = u.phone
          AND o.message_id > u.message_id
        LIMIT 1
    ) AS n ON true
), taken AS (
    DELETE FROM lane_item i
    WHERE i.shard = $1
      AND i.ctid = ANY (ARRAY(SELECT e.item FROM ended e))
), gone AS (
    DELETE FROM lane l
    WHERE l.shard = $1
      AND l.ctid = ANY (ARRAY(SELECT e.lane FROM ended e WHERE NOT e.has_more))
)
UPDATE lane l
SET state = 'r',
    ready_at = $5
WHERE l.shard = $1
  AND l.ctid = ANY (ARRAY(SELECT e.lane FROM ended e WHERE e.has_more))
