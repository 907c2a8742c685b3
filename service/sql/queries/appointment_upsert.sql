-- name: appointment_upsert
-- Returns true for a row that is new. A row that another process made since our lock found nothing
-- comes back as false, or not at all: the caller runs the batch again.
INSERT INTO appointment AS a
    (shard, practice_id, appointment_id, version, revision, status, starts_at, phone,
     patient_name, instructions, planned_at, revised_at, intent_days, unplanned_from)
SELECT s.shard, u.practice_id, u.appointment_id, u.version, u.revision, u.status, u.starts_at,
       u.phone, u.patient_name, u.instructions, u.planned_at, u.revised_at,
       u.intent_days::date[], u.unplanned_from
FROM shard s,
     unnest($2::bigint[], $3::text[], $4::bigint[], $5::integer[], $6::"char"[],
            $7::timestamptz[], $8::bigint[], $9::text[], $10::text[], $11::timestamptz[],
            $12::timestamptz[], $13::text[], $14::date[])
         AS u(practice_id, appointment_id, version, revision, status, starts_at, phone,
              patient_name, instructions, planned_at, revised_at, intent_days, unplanned_from)
WHERE s.shard = $1
ON CONFLICT (shard, practice_id, appointment_id) DO UPDATE
SET version = excluded.version,
    revision = excluded.revision,
    status = excluded.status,
    starts_at = excluded.starts_at,
    phone = excluded.phone,
    patient_name = excluded.patient_name,
    instructions = excluded.instructions,
    planned_at = excluded.planned_at,
    revised_at = excluded.revised_at,
    intent_days = excluded.intent_days,
    unplanned_from = excluded.unplanned_from
WHERE a.version <= excluded.version
RETURNING a.xmax = 0 AS inserted
