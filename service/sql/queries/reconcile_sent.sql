-- name: reconcile_sent
-- Tries of some local days that began in a stretch of real time, with the provider's name for those
-- that it accepted; open are those whose answer is lost and not found out, or isn't there yet, with
-- whom they were to reach.
SELECT t.practice_id, t.message_id, t.started_at, t.provider_ref, t.is_open,
       CASE WHEN t.is_open THEN (
           SELECT m.phone
           FROM message m
           WHERE m.shard = $1
             AND m.practice_id = t.practice_id
             AND m.message_id = t.message_id)
       END AS phone
FROM (
    SELECT a.practice_id, a.message_id, a.started_at,
           max(o.provider_ref) FILTER (WHERE o.outcome = 's') AS provider_ref,
           NOT coalesce(bool_or(o.outcome = 's'), false) AS is_open
    FROM attempt a
    LEFT JOIN attempt_outcome o
        ON o.local_day = a.local_day
       AND o.shard = $1
       AND o.practice_id = a.practice_id
       AND o.message_id = a.message_id
       AND o.attempt_no = a.attempt_no
    WHERE a.shard = $1
      AND a.local_day BETWEEN $2 AND $3
      AND a.started_at >= $4
      AND a.started_at < $5
    GROUP BY a.local_day, a.practice_id, a.message_id, a.attempt_no, a.started_at
    HAVING coalesce(bool_or(o.outcome = 's'), false)
        OR NOT coalesce(bool_or(o.outcome IN ('t', 'f', 'n')), false)
) AS t
