-- name: resolve_taken
-- Which of the provider's references belong to texts of this phone already. Served by the groups'
-- unique key, whose first columns are the practice and the phone.
SELECT m.provider_ref
FROM message m
WHERE m.shard = $1
  AND m.practice_id = $2
  AND m.phone = $3
  AND m.message_id <> $4
  AND m.provider_ref = ANY ($5::text[])
