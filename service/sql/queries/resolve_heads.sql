-- name: resolve_heads
-- What is known of deliveries whose answer was lost: the text, when its last try began, from which
-- number, and since when its answer is known to be lost. A new statement, after the lanes' locks.
-- What a claim would look at again is looked at as well: a provider that is asked under the try's
-- key may send the text. is_true: all of its appointments are booked, at the time and for the phone
-- that it was made for, and their promises are still the ones in here. LIMIT 1 of rows by their
-- keys, of promises on the text's own day: whatever the statistics say, each is looked up so.
SELECT l.practice_id, l.phone, h.message_id, h.attempts, h.expires_at, m.local_day, m.rule_id,
       m.due_at, m.body, m.provider_ref, m.receipt,
       cardinality(m.appointment_ids) AS members, a.started_at, a.sender,
       o.finished_at AS lost_at, coalesce(s.opted_out, false) AS opted_out, p.is_true
FROM unnest($2::bigint[], $3::bigint[]) AS l(practice_id, phone)
CROSS JOIN LATERAL (
    SELECT i.message_id, i.attempts, i.expires_at
    FROM lane_item i
    WHERE i.shard = $1 AND i.practice_id = l.practice_id AND i.phone = l.phone
    ORDER BY i.message_id
    LIMIT 1
) AS h
CROSS JOIN LATERAL (
    SELECT t.local_day, t.rule_id, t.due_at, t.body, t.provider_ref, t.receipt, t.appointment_ids,
           t.starts_at
    FROM message t
    WHERE t.shard = $1 AND t.practice_id = l.practice_id AND t.message_id = h.message_id
    LIMIT 1
) AS m
CROSS JOIN LATERAL (
    SELECT t.started_at, t.sender
    FROM attempt t
    WHERE t.shard = $1
      AND t.local_day = m.local_day
      AND t.practice_id = l.practice_id
      AND t.message_id = h.message_id
      AND t.attempt_no = h.attempts
    LIMIT 1
) AS a
CROSS JOIN LATERAL (
    SELECT t.finished_at
    FROM attempt_outcome t
    WHERE t.shard = $1
      AND t.local_day = m.local_day
      AND t.practice_id = l.practice_id
      AND t.message_id = h.message_id
      AND t.attempt_no = h.attempts
      AND t.outcome = 'a'
    LIMIT 1
) AS o
LEFT JOIN LATERAL (
    SELECT n.opted_out
    FROM consent n
    WHERE n.shard = $1 AND n.practice_id = l.practice_id AND n.phone = l.phone
    LIMIT 1
) AS s ON true
CROSS JOIN LATERAL (
    SELECT coalesce(
               bool_and(coalesce(
                   b.status = 'b' AND b.starts_at = r.starts_at AND b.phone = l.phone
                       AND k.state = 'r', false)), false) AS is_true
    FROM unnest(m.appointment_ids, m.starts_at) AS r(appointment_id, starts_at)
    LEFT JOIN LATERAL (
        SELECT c.status, c.starts_at, c.phone
        FROM appointment c
        WHERE c.shard = $1
          AND c.practice_id = l.practice_id
          AND c.appointment_id = r.appointment_id
        LIMIT 1
    ) AS b ON true
    LEFT JOIN LATERAL (
        SELECT i.state
        FROM intent i
        WHERE i.shard = $1
          AND i.practice_id = l.practice_id
          AND i.appointment_id = r.appointment_id
          AND i.rule_id = m.rule_id
          AND i.due_day = m.local_day
          AND i.message_id = h.message_id
          AND i.state = 'r'
        LIMIT 1
    ) AS k ON true
) AS p
