-- name: audit_attempts
-- Every text that the provider accepted has an attempt from before, was accepted once, and every
-- attempt that has ended has an outcome.
WITH tried AS (
    SELECT a.practice_id, a.message_id, count(*) AS attempts, min(a.started_at) AS first_started
    FROM attempt a
    WHERE a.shard = $1
    GROUP BY a.practice_id, a.message_id
), ended AS (
    SELECT o.practice_id, o.message_id, count(*) FILTER (WHERE o.outcome = 's') AS accepted,
           count(DISTINCT o.attempt_no) AS with_outcome
    FROM attempt_outcome o
    WHERE o.shard = $1
    GROUP BY o.practice_id, o.message_id
), compared AS (
    SELECT m.practice_id, m.message_id,
           CASE
               WHEN m.state = 's' AND t.attempts IS NULL THEN 'sent without an attempt'
               WHEN m.state = 's' AND e.accepted IS DISTINCT FROM 1 THEN 'not accepted once'
               WHEN m.state <> 's' AND e.accepted > 0 THEN 'accepted and not sent'
               WHEN m.state IN ('s', 'f', 'e', 'x')
                    AND coalesce(t.attempts, 0) <> coalesce(e.with_outcome, 0)
                   THEN 'an attempt without an outcome'
               WHEN m.sent_at < t.first_started THEN 'sent before its attempt'
           END AS wrong
    FROM message m
    LEFT JOIN tried t USING (practice_id, message_id)
    LEFT JOIN ended e USING (practice_id, message_id)
    WHERE m.shard = $1
      -- The tries of older ones were dropped.
      AND m.local_day >= (SELECT from_day FROM retention WHERE partitioned = 'attempt')
      AND (m.state = 's' OR t.attempts > 0)
)
SELECT count(*) AS cases,
       count(wrong) AS violations,
       (array_agg(format('practice %s message %s: %s', practice_id, message_id, wrong))
            FILTER (WHERE wrong IS NOT NULL))[1:10] AS examples
FROM compared
