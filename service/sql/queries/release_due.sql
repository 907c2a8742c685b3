-- name: release_due
-- Planned intents that are due, family by family, with the appointments behind them.
-- FOR UPDATE SKIP LOCKED: an intent that a change of its appointment holds is left for the next
-- round, so release never waits here. LIMIT $6: one batch, taken before anything is joined to it.
-- Practices that are set aside ($7) are passed by.
-- LIMIT 1 of one row by its key: whatever the statistics say, it is looked up by its key.
-- Served by intent_due of the weeks of $2 to $3, by which the planner prunes partitions (the
-- literal state matches its predicate); the scan begins at the floor ($4) and so never walks the
-- dead entries of what was released before.
WITH due AS MATERIALIZED (
    SELECT i.due_day, i.practice_id, i.appointment_id, i.rule_id, i.plan_version, i.group_slot,
           i.revision, i.phone, i.due_at, i.starts_at
    FROM intent i
    WHERE i.shard = $1
      AND i.due_day BETWEEN $2 AND $3
      AND i.state = 'p'
      AND i.due_at >= $4
      AND i.due_at <= $5
      AND i.practice_id <> ALL ($7::bigint[])
    ORDER BY i.due_at, i.practice_id, i.phone, i.rule_id
    LIMIT $6
    FOR UPDATE SKIP LOCKED
)
SELECT d.due_day, d.practice_id, d.appointment_id, d.rule_id, d.plan_version, d.group_slot,
       d.revision, d.phone, d.due_at, d.starts_at, a.patient_name, a.instructions
FROM due d
CROSS JOIN LATERAL (
    SELECT b.patient_name, b.instructions
    FROM appointment b
    WHERE b.shard = $1
      AND b.practice_id = d.practice_id
      AND b.appointment_id = d.appointment_id
    LIMIT 1
) AS a
ORDER BY d.due_at, d.practice_id, d.phone, d.rule_id
