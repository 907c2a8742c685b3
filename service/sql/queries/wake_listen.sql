-- name: wake_listen
LISTEN punctual_wake
