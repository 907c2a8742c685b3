-- name: weeks_attach
SELECT attach_weeks($1, $2, $3)
