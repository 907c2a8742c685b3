-- name: sender_leave
-- Patients go on answering the number that texted them, so the row stays until another practice
-- takes the number. The current one is a row that nobody else may take, so nothing waits here.
UPDATE sender
SET is_current = false
WHERE practice_id = $2
  AND sender <> $1
  AND is_current
