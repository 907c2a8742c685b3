-- name: residual_agreed
-- Texts of which the provider's list says the same as we do now, by the provider's names for them.
UPDATE residual r
SET mended_at = $2
WHERE r.shard = $1
  AND r.provider_ref = ANY ($3)
  AND r.mended_at IS NULL
  AND r.told_at IS NULL
