-- name: audit_members
-- No member is lost by grouping: a text lists exactly the promises that became it, less those
-- that were stopped in time.
WITH kept AS (
    SELECT i.practice_id, i.message_id,
           array_agg(i.appointment_id ORDER BY i.appointment_id) AS appointment_ids
    FROM intent i
    WHERE i.shard = $1
      AND i.state = 'r'
    GROUP BY i.practice_id, i.message_id
), listed AS (
    SELECT m.practice_id, m.message_id, m.state,
           (SELECT array_agg(a COLLATE "C" ORDER BY a COLLATE "C")
            FROM unnest(m.appointment_ids) AS a) AS appointment_ids
    FROM message m
    WHERE m.shard = $1
      -- The promises of older ones were dropped.
      AND m.local_day >= (SELECT from_day FROM retention WHERE partitioned = 'intent')
), compared AS (
    SELECT practice_id, message_id,
           CASE
               WHEN l.message_id IS NULL THEN 'has no text'
               -- While it waits, the text may still list what the claim will leave out.
               WHEN l.state = 'q' THEN
                   CASE WHEN NOT coalesce(k.appointment_ids, '{}') <@ l.appointment_ids
                        THEN 'waits without a member' END
               WHEN l.state = 'x' AND k.message_id IS NULL THEN NULL
               WHEN k.appointment_ids IS DISTINCT FROM l.appointment_ids THEN 'differs'
           END AS wrong
    FROM kept k
    FULL JOIN listed l USING (practice_id, message_id)
)
SELECT count(*) AS cases,
       count(wrong) AS violations,
       (array_agg(format('practice %s message %s: %s', practice_id, message_id, wrong))
            FILTER (WHERE wrong IS NOT NULL))[1:10] AS examples
FROM compared
