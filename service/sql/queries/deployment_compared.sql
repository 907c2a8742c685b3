-- name: deployment_compared
-- An older stretch of time takes nothing back.
UPDATE deployment
SET compared_until = greatest(compared_until, $1)
WHERE id
