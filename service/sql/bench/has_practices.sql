-- name: has_practices
SELECT EXISTS (SELECT FROM practice)
