-- name: has_schema
SELECT to_regclass('practice') IS NOT NULL
