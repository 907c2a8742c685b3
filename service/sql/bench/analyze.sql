-- name: analyze
VACUUM (ANALYZE)
    practice, practice_revision, rule, appointment, intent, message, lane, lane_item, attempt,
    attempt_outcome, tally, tally_delta
