-- name: reconcile_unlisted
-- The promises of texts that the provider doesn't list, with its names for the texts as we have
-- them. LIMIT $5: those of as many are named.
SELECT m.practice_id, g.appointment_id, m.rule_id, m.local_day AS due_day,
       m.message_id AS plan_version, 'm' AS kind, 'v' AS reason, u.provider_ref, g.starts_at,
       m.due_at, m.expires_at AS closes_at
FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS u(practice_id, message_id, provider_ref)
JOIN message m
  ON m.shard = $1
 AND m.practice_id = u.practice_id
 AND m.message_id = u.message_id
CROSS JOIN LATERAL unnest(m.appointment_ids, m.starts_at) AS g(appointment_id, starts_at)
ORDER BY m.expires_at, m.practice_id, m.message_id
LIMIT $5
