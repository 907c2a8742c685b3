-- name: observe_id_spaces
-- The sequences behind identities, and how much of each is used up.
SELECT s.sequencename::text AS space,
       coalesce(s.last_value, 0)::float8 / s.max_value::float8 AS used
FROM pg_sequences s
WHERE s.schemaname = current_schema()
