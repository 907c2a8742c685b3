-- name: seed_lane
-- Appointments, released intents, texts and lanes $3 to $4 - 1 of shard $1 as release leaves them,
-- spread over practices 1 to $2, one phone each, except that those below $5 wait behind one busy
-- recipient. Ready from $6 on, $7 apart; the busy recipient's lane is among the first.
WITH numbered AS (
    SELECT n,
           CASE WHEN n < $5::bigint THEN 1 ELSE 1 + n % $2::bigint END AS practice_id,
           CASE WHEN n < $5::bigint THEN 999100000000 ELSE 999200000000 + n END AS phone,
           $6::timestamptz + $7::text::interval * CASE WHEN n < $5 THEN 50 ELSE n - $5 END
               AS ready_at,
           (1 + n / 30000 % 100)::smallint AS rule_id,
           (n % 30000)::smallint AS group_slot
    FROM generate_series($3::bigint, $4::bigint - 1) AS n
), booked AS (
    INSERT INTO appointment (shard, practice_id, appointment_id, version, revision, status,
                             starts_at, phone, patient_name, instructions, planned_at, revised_at,
                             intent_days)
    SELECT $1, practice_id, 'seed-' || n, 1, 1, 'b', '2026-02-02T10:00:00Z', phone,
           'Patient ' || n, '', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '{2026-01-05}'
    FROM numbered
), texted AS (
    INSERT INTO message (shard, practice_id, phone, local_day, rule_id, group_slot, generation,
                         state, segments, revision, due_at, expires_at, released_at,
                         appointment_ids, starts_at, body)
    SELECT $1, practice_id, phone, '2026-01-05', rule_id, group_slot, 1, 'q', 1, 1,
           '2026-01-05T09:00:00Z', '2026-02-02T10:00:00Z', ready_at, ARRAY['seed-' || n],
           '{2026-02-02T10:00:00Z}', repeat('x', 120)
    FROM numbered
    ORDER BY n
    RETURNING practice_id, phone, message_id, appointment_ids[1] AS appointment_id, rule_id,
              group_slot
), promised AS (
    INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, plan_version, state,
                        group_slot, revision, phone, message_id, due_at, starts_at)
    SELECT '2026-01-05', $1, practice_id, appointment_id, rule_id, 1, 'r', group_slot, 1, phone,
           message_id, '2026-01-05T09:00:00Z', '2026-02-02T10:00:00Z'
    FROM texted
), queued AS (
    INSERT INTO lane_item (shard, practice_id, phone, message_id, expires_at)
    SELECT $1, practice_id, phone, message_id, '2026-02-02T10:00:00Z'
    FROM texted
)
INSERT INTO lane (shard, practice_id, phone, state, token, ready_at)
SELECT $1, practice_id, phone, 'r', 0, min(ready_at)
FROM numbered
GROUP BY practice_id, phone
ON CONFLICT DO NOTHING
