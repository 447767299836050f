# lib.sh - what the shell scripts of this folder share. Sourced from the root of the project, not run.
#
# All is about one part of a test, whose directory is $dir, absolute; parts side by side are subshells (side_by_side), with their
# logs in $top. Each *_start leaves the process' id in $emulator, $prometheus or $walship, for the *_stop.

# shellcheck shell=bash
# shellcheck disable=SC2034 # they are for the caller
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

bin=$PWD/build/release
prometheus_3=$PWD/build/peers/prom3/usr/bin/prometheus
promtool=$PWD/build/peers/prom3/usr/bin/promtool
top='' dir='' emulator='' prometheus='' walship=''
walship_prefix=() # words before the command of walship_start: env and what it sets

die() {
    note "FAIL ${0##*/}: $*"
    exit 1
}

# need_prometheus_3 TEST: or it is skipped.
need_prometheus_3() {
    [ -x "$prometheus_3" ] && [ -x "$promtool" ] && return
    echo "SKIP $1: Prometheus 3 could not be had"
    exit 77
}

# up PID URL: waits until the process answers; false when it ends before (or somebody else answers there).
up() {
    wait_for 60 ended_or_answers "$1" "$2" && is_running "$1"
}
ended_or_answers() { ! is_running "$1" || answers "$2"; }

# emulator_start PORT [NAME...]: with an endpoint at /write/NAME for each name; without names, emulator.yml as it is there.
emulator_start() {
    local port=$1 name
    shift
    if [ $# -gt 0 ]; then
        printf 'listen_address: 127.0.0.1:%s\ndatabase: %s/received.db\ncommit_interval: 0\nendpoints:\n' "$port" "$dir" >"$dir/emulator.yml"
        for name in "$@"; do echo "- {name: $name, path: /write/$name}" >>"$dir/emulator.yml"; done
    fi
    start "$dir/emulator.log" "$bin/walship-emulator" --config "$dir/emulator.yml"
    emulator=$STARTED_PID
    up "$emulator" "http://127.0.0.1:$port/stats" || die "the emulator did not start: $dir/emulator.log"
}

emulator_stop() { stop "$emulator" TERM || die "the emulator did not stop cleanly: $dir/emulator.log"; }

# arrived PORT: samples at the emulator so far.
arrived() { curl -fsS -m 5 --noproxy '*' "http://127.0.0.1:$1/stats" | grep -o '"samples":[0-9]*' | awk -F: '{sum += $2} END {print sum}'; }
arrived_more() { [ "$(arrived "$1")" -gt "$2" ]; } # PORT COUNT

# scrape INTERVAL JOB:PORT...: prometheus.yml with these targets.
scrape() {
    local job
    printf 'global: {scrape_interval: %s, scrape_timeout: %s}\nscrape_configs:\n' "$1" "$1" >"$dir/prometheus.yml"
    shift
    for job in "$@"; do
        echo "- {job_name: ${job%:*}, static_configs: [{targets: ['127.0.0.1:${job#*:}']}]}" >>"$dir/prometheus.yml"
    done
}

# prometheus_start PROGRAM PORT [OPTION...]: by prometheus.yml, its data in $dir/data.
prometheus_start() {
    local program=$1 port=$2
    shift 2
    start "$dir/prometheus.log" "$program" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
        --web.listen-address="127.0.0.1:$port" "$@"
    prometheus=$STARTED_PID
    up "$prometheus" "http://127.0.0.1:$port/-/ready" || die "Prometheus did not start: $dir/prometheus.log"
}

prometheus_stop() { stop "$prometheus" TERM 60 || die "Prometheus did not stop cleanly: $dir/prometheus.log"; }

# walship_config NAME STATUS_PORT EMULATOR_PORT ENDPOINT...: one destination with these endpoints of the emulator; no page when
# STATUS_PORT is empty. More keys, of the destination first, may be added at the end of walship.yml.
walship_config() {
    local name=$1 status=$2 port=$3 endpoint
    shift 3
    cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data
state_dir: $dir/state
listen_address: "${status:+127.0.0.1:$status}"
start_at: oldest
remote_write:
- name: $name
  endpoints:
YAML
    for endpoint in "$@"; do echo "  - url: http://127.0.0.1:$port/write/$endpoint" >>"$dir/walship.yml"; done
}

walship_start() {
    start "$dir/walship.log" ${walship_prefix[@]+"${walship_prefix[@]}"} "$bin/walship" run --config "$dir/walship.yml"
    walship=$STARTED_PID
}

walship_stop() { stop "$walship" TERM || die "walship did not stop cleanly: $dir/walship.log"; }

# walship_kill: SIGKILL; when, in Unix milliseconds, goes to $dir/kills. A walship that ended before is a failure.
walship_kill() {
    is_running "$walship" || die "walship ended by itself: $dir/walship.log"
    date +%s%3N >>"$dir/kills"
    stop "$walship" KILL || true
}

# caught_up PORT: the walship with its page there has read and settled all that is in the WAL (is_caught_up of lib.py).
caught_up() {
    curl -fsS -m 5 --noproxy '*' "http://127.0.0.1:$1/metrics" |
        awk '/^walship_(behind_bytes|items_pending|items_parked)\{/ {rows++; waits += $NF} END {exit !(rows && !waits)}'
}

# drain: what is left, by a run that says itself whether all is settled.
drain() {
    "$bin/walship" run --once --timeout 120s --config "$dir/walship.yml" >>"$dir/walship.log" 2>&1 ||
        die "walship could not drain: $dir/walship.log"
}

# dump DIRECTORY FILE: `promtool tsdb dump`.
dump() { "$promtool" tsdb dump "$1" >"$2" 2>"$dir/promtool.log" || die "promtool: $dir/promtool.log"; }

# ports_of INDEX COUNT: that part of the ports that free_ports may choose from. What is free is not yet bound: parts side by side that chose
# from one range would now and then choose the same.
ports_of() {
    local first last each
    read -r first last <<<"${WALSHIP_PORTS:-10000 29999}"
    each=$(((last - first + 1) / $2))
    echo "$((first + $1 * each)) $((first + ($1 + 1) * each - 1))"
}

# side_by_side FUNCTION PART...: FUNCTION PART in a subshell for each part, all at once, each with ports of its own; their output one
# after the other. What a part started ends with it. False when one failed. To be called by itself, not in a condition: there
# `set -e` would not hold in the parts.
side_by_side() {
    local function=$1 part code failed=0 index=0
    local -A running=()
    shift
    for part in "$@"; do
        (
            # shellcheck disable=SC2030,SC2031 # each part has its own
            STARTED=()
            WALSHIP_PORTS=$(ports_of "$index" "$#")
            export WALSHIP_PORTS
            trap stop_all EXIT
            "$function" "$part"
        ) >"$top/$part.log" 2>&1 &
        running[$part]=$!
        index=$((index + 1))
        # shellcheck disable=SC2031
        STARTED+=("$!")
    done
    for part in "$@"; do
        code=0
        wait "${running[$part]}" || code=$?
        forget "${running[$part]}"
        echo "== $part: $([ "$code" -eq 0 ] && echo ok || echo "FAILED ($code)")"
        grep -v ' Killed  ' "$top/$part.log" || true # bash tells of each kill
        [ "$code" -eq 0 ] || failed=1
    done
    return "$failed"
}
