# lib.sh - what the scripts share. Sourced, not run. The caller has `set -euo pipefail`.
#
# Every process started here is remembered by its id, and only those are ended, when the script ends.

# shellcheck shell=bash
STARTED=()

note() { printf '%s\n' "$*" >&2; }
die() {
    note "${0##*/}: $*"
    exit 1
}

# start LOG COMMAND...: in the background; its id is in $STARTED_PID.
start() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1 &
    STARTED_PID=$!
    STARTED+=("$STARTED_PID")
}

# A process that start began; false also when it has ended.
is_running() { kill -0 "$1" 2>/dev/null; }

# stop PID [SIGNAL [SECONDS]]: signals one of ours and waits for it; SIGKILL after that many seconds. The
# result is the process's own.
stop() {
    local pid=$1 signal=${2:-TERM} seconds=${3:-20} tick result=0
    kill -"$signal" "$pid" 2>/dev/null || true
    for ((tick = 0; tick < seconds * 20; tick++)); do
        is_running "$pid" || break
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || result=$?
    forget "$pid"
    return "$result"
} 2>/dev/null # the shell's own word about a killed job

# Its id must not be used again once it was waited for.
forget() {
    local pid kept=()
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do
        [ "$pid" = "$1" ] || kept+=("$pid")
    done
    STARTED=(${kept[@]+"${kept[@]}"})
}

# At the end: a second signal must not cut this short.
stop_all() {
    local pid
    trap '' TERM
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in ${STARTED[@]+"${STARTED[@]}"}; do
        stop "$pid" TERM 10 || true
    done
}

# free_ports COUNT: that many ports below 32768 (where no client's own port can be) that nothing listens on; those from 30000 on are
# the unit tests'. $WALSHIP_PORTS ("FIRST LAST") narrows the choice, so that scripts side by side never choose the same.
free_ports() {
    python3 - "$1" <<'PY'
import os, random, socket, sys
first, last = map(int, os.environ.get("WALSHIP_PORTS", "10000 29999").split())
held = []
while len(held) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randint(first, last)))
    except OSError:
        continue
    held.append(s)
print(*(s.getsockname()[1] for s in held))
PY
}

# wait_for SECONDS COMMAND...: until it succeeds; false when the time is over.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

# answers URL: whether a GET succeeds.
answers() { curl -fsS -m 2 --noproxy '*' -o /dev/null "$1"; }

# seconds_of 90 | 40s | 5m | 1h
seconds_of() {
    [[ $1 =~ ^([0-9]+)(s|m|h)?$ ]] || die "not a duration: $1"
    case ${BASH_REMATCH[2]} in
    m) echo $((10#${BASH_REMATCH[1]} * 60)) ;;
    h) echo $((10#${BASH_REMATCH[1]} * 3600)) ;;
    *) echo $((10#${BASH_REMATCH[1]})) ;;
    esac
}
