-- name: days_attach
SELECT attach_days($1, $2, $3)
