#!/bin/sh
# Waits until its owner says "done" or dies, and in the latter case ends the owner's children and
# removes the run directory ($1). Each file children/<pid> holds the signal that ends the process
# group <pid>. POSIX sh; `sleep 0.1` is understood by every system's sleep that we run on.
trap '' HUP INT QUIT TERM PIPE
if read -r word && [ "$word" = "done" ]; then
    exit 0
fi
cd "$1/children" || exit 0
for pid in *; do
    [ -f "$pid" ] || continue
    read -r signal _ <"$pid"
    kill -s "$signal" -- "-$pid"
    # A process that was stopped takes its signal only when it continues.
    kill -s CONT -- "-$pid"
done
for pid in *; do
    [ -f "$pid" ] || continue
    turns=0
    while kill -s 0 -- "-$pid" && [ "$turns" -lt 50 ]; do
        sleep 0.1
        turns=$((turns + 1))
    done
    kill -s KILL -- "-$pid"
done
cd / && rm -rf -- "$1"
