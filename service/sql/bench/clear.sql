-- name: clear
TRUNCATE practice, practice_revision, rule, appointment, intent, message, lane, lane_item, attempt,
         attempt_outcome, tally, tally_delta
