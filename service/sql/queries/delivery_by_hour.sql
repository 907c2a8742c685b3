-- name: delivery_by_hour
-- How late is real time: due times are domain time, which goes $7 times as fast as real time and
-- was $6 when that was $5. Percentiles are those of texts that were handed over, each a lateness that
-- occurred. Served by message_day, the zone by primary keys.
SELECT rule_id, hour,
       count(*) AS texts,
       count(*) FILTER (WHERE state = 's') AS sent,
       count(*) FILTER (WHERE receipt >= 2) AS delivered,
       count(*) FILTER (WHERE receipt = 1) AS undelivered,
       count(*) FILTER (WHERE reply IS NOT NULL) AS replied,
       count(*) FILTER (WHERE state = 'f') AS failed,
       count(*) FILTER (WHERE state = 'e') AS expired,
       count(*) FILTER (WHERE state = 'x') AS suppressed,
       count(*) FILTER (WHERE state = 'a') AS ambiguous,
       count(*) FILTER (WHERE state = 'q') AS pending,
       percentile_disc(ARRAY[0.5, 0.9, 0.99]::float8[]) WITHIN GROUP (ORDER BY late)
           AS late_seconds,
       max(late) AS late_max_seconds
FROM (
    SELECT m.rule_id, m.state, m.receipt, m.reply,
           extract(hour FROM m.due_at AT TIME ZONE (
               SELECT v.timezone
               FROM practice_revision v
               WHERE v.shard = $1
                 AND v.practice_id = $2
               ORDER BY v.revision DESC
               LIMIT 1))::smallint AS hour,
           greatest(0, extract(epoch FROM m.sent_at - $5::timestamptz)::float8
                       - extract(epoch FROM m.due_at - $6::timestamptz)::float8 / $7::float8)
               AS late
    FROM message m
    WHERE m.shard = $1
      AND m.practice_id = $2
      AND m.local_day BETWEEN $3 AND $4
) AS text
GROUP BY rule_id, hour
ORDER BY rule_id, hour
