-- name: seed_intent
-- Appointments and planned intents $3 to $4 - 1 of shard $1, spread over practices 1 to $2, one
-- phone each, except that those below $5 share one phone and one practice (a busy recipient),
-- each in a group of its own, and are due in turns with the others. Due from $6 on, $7 apart; their
-- days are the days on which they are due.
WITH numbered AS (
    SELECT n,
           CASE WHEN n < $5::bigint THEN 1 ELSE 1 + n % $2::bigint END AS practice_id,
           CASE WHEN n < $5::bigint THEN 999100000000 ELSE 999200000000 + n END AS phone,
           $6::timestamptz + $7::text::interval * CASE
               WHEN $5 = 0 THEN n
               WHEN n < $5 THEN 2 * n
               ELSE 2 * (n - $5) + 1
           END AS due_at
    FROM generate_series($3::bigint, $4::bigint - 1) AS n
), booked AS (
    INSERT INTO appointment (shard, practice_id, appointment_id, version, revision, status,
                             starts_at, phone, patient_name, instructions, planned_at, revised_at,
                             intent_days)
    SELECT $1, practice_id, 'seed-' || n, 1, 1, 'b', due_at + interval '1 day', phone,
           'Patient ' || n, '', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z',
           ARRAY[(due_at AT TIME ZONE 'UTC')::date]
    FROM numbered
)
INSERT INTO intent (due_day, shard, practice_id, appointment_id, rule_id, plan_version, state,
                    group_slot, revision, phone, due_at, starts_at)
SELECT (due_at AT TIME ZONE 'UTC')::date, $1, practice_id, 'seed-' || n,
       1 + n / 30000 % 100, 1, 'p', n % 30000, 1, phone, due_at, due_at + interval '1 day'
FROM numbered
