-- name: audit_order
-- Per recipient: the first attempt of a text comes after the last outcome of the one before it.
WITH tried AS (
    SELECT a.practice_id, a.message_id, min(a.started_at) AS first_started
    FROM attempt a
    WHERE a.shard = $1
    GROUP BY a.practice_id, a.message_id
), ended AS (
    SELECT o.practice_id, o.message_id, max(o.finished_at) AS last_finished
    FROM attempt_outcome o
    WHERE o.shard = $1
    GROUP BY o.practice_id, o.message_id
), in_order AS (
    SELECT m.practice_id, m.message_id, t.first_started,
           lag(m.message_id) OVER w AS before_id,
           lag(e.last_finished) OVER w AS before_finished
    FROM message m
    JOIN tried t USING (practice_id, message_id)
    LEFT JOIN ended e USING (practice_id, message_id)
    WHERE m.shard = $1
    WINDOW w AS (PARTITION BY m.practice_id, m.phone ORDER BY m.message_id)
)
SELECT count(*) AS cases,
       count(*) FILTER (WHERE before_finished IS NULL OR first_started < before_finished)
           AS violations,
       (array_agg(format('practice %s message %s left before message %s was settled', practice_id,
                         message_id, before_id))
            FILTER (WHERE before_finished IS NULL OR first_started < before_finished))[1:10]
           AS examples
FROM in_order
WHERE before_id IS NOT NULL
