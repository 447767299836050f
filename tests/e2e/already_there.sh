#!/usr/bin/env bash
# already_there.sh - every batch delivered twice to a real receiver: the first answer to each body is cut by a proxy, and
# walship is killed (SIGKILL) again and again. Prometheus 3.x, with no out-of-order window (it rolls a whole request back
# with 400), and VictoriaMetrics: nothing is counted as lost, nothing is missing, nothing invented.
# WALSHIP_LONG=1: 60 kills instead of 8.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

kills=8
[ -z "${WALSHIP_LONG:-}" ] || kills=60
top=$PWD/build/e2e/already_there
prometheus=$PWD/build/peers/prom3/usr/bin/prometheus
promtool=$PWD/build/peers/prom3/usr/bin/promtool
victoria=$PWD/build/peers/vm/usr/bin/victoria-metrics
trap stop_all EXIT

# launch NAME PORT ARGUMENT...: a Prometheus with its data in $dir/NAME
launch() {
    local name=$1 port=$2
    shift 2
    start "$dir/$name.log" "$prometheus" --config.file="$dir/$name.yml" --storage.tsdb.path="$dir/$name" \
        --web.listen-address="127.0.0.1:$port" "$@"
    wait_for 60 answers "http://127.0.0.1:$port/-/ready" || die "Prometheus did not start: $dir/$name.log"
}

configure() {
    cat >"$dir/source.yml" <<YAML
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
- {job_name: exporter, static_configs: [{targets: ['127.0.0.1:$exporter_port']}]}
YAML
    echo 'global: {}' >"$dir/receiver.yml"
    cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/source
state_dir: $dir/state
listen_address: 127.0.0.1:$status_port
start_at: oldest
remote_write:
- name: twice
  url: http://127.0.0.1:$proxy_port/api/v1/write
  queue_config: {batch_send_deadline: 1s, max_backoff: 200ms}
YAML
}

receive() {
    if [ "$1" = prometheus ]; then
        launch receiver "$receiver_port" --web.enable-remote-write-receiver
    else
        start "$dir/receiver.log" "$victoria" -storageDataPath="$dir/receiver" -httpListenAddr="127.0.0.1:$receiver_port" \
            -retentionPeriod=1y -search.maxUniqueTimeseries=1000000
        wait_for 60 answers "http://127.0.0.1:$receiver_port/health" || die "VictoriaMetrics did not start: $dir/receiver.log"
    fi
    receiver=$STARTED_PID
}

storm() {
    local i
    for ((i = 0; i < kills; i++)); do
        start "$dir/walship.log" build/release/walship run --config "$dir/walship.yml"
        sleep "$((RANDOM % 2 + 1)).$((RANDOM % 10))"
        is_running "$STARTED_PID" || die "walship ended by itself: $dir/walship.log"
        stop "$STARTED_PID" KILL || true
    done
}

judge() {
    "$promtool" tsdb dump "$dir/source" >"$dir/source.txt" 2>"$dir/promtool.log" || die "promtool: $dir/promtool.log"
    build/release/walship losses --json --config "$dir/walship.yml" >"$dir/losses.json"
    tests/e2e/already_there.py lost --json "$dir/losses.json"
    if [ "$1" = prometheus ]; then
        stop "$receiver" TERM 60 || die "the receiver did not stop cleanly"
        "$promtool" tsdb dump "$dir/receiver" >"$dir/received.txt" 2>>"$dir/promtool.log" || die "promtool: $dir/promtool.log"
        tests/e2e/already_there.py compare --source "$dir/source.txt" --received "$dir/received.txt"
        grep -q '^400 ' "$dir/proxy.log" || die "FAIL the receiver never refused anything: this run proves nothing"
        return
    fi
    tests/e2e/already_there.py export --port "$receiver_port" --out "$dir/received.txt"
    tests/e2e/already_there.py respell --source "$dir/source.txt" --out "$dir/source.same"
    tests/e2e/already_there.py compare --no-stale --source "$dir/source.same" --received "$dir/received.txt"
}

run_one() {
    dir=$top/$1
    mkdir -p "$dir"
    read -r source_port receiver_port exporter_port proxy_port status_port < <(free_ports 5)
    configure
    receive "$1"
    start "$dir/proxy.log" tests/e2e/already_there.py proxy --port "$proxy_port" --to "$receiver_port" --calm "$dir/calm"
    start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series 300 --churn 2
    launch source "$source_port"
    source=$STARTED_PID
    storm
    stop "$source" TERM 60 || die "the source did not stop cleanly"
    touch "$dir/calm"
    build/release/walship run --once --timeout 120s --config "$dir/walship.yml" >>"$dir/walship.log" 2>&1 ||
        die "walship could not drain: $dir/walship.log"
    judge "$1"
}

rm -rf "$top"
mkdir -p "$top"
if [ ! -x "$prometheus" ] || [ ! -x "$promtool" ]; then
    echo "SKIP already_there: Prometheus 3.x could not be had"
    exit 77
fi
receivers=(prometheus)
if [ -x "$victoria" ]; then receivers+=(victoria); else echo "SKIP already_there victoria: it could not be had"; fi
failed=0 running=()
for one in "${receivers[@]}"; do
    (STARTED=(); trap stop_all EXIT; run_one "$one") >"$top/$one.log" 2>&1 &
    running+=("$one:$!")
done
for one in "${running[@]}"; do
    code=0
    wait "${one#*:}" || code=$?
    echo "== ${one%:*}: $([ "$code" -eq 0 ] && echo ok || echo "FAILED ($code)")"
    grep -v ' Killed  ' "$top/${one%:*}.log" || true # bash tells of each kill
    [ "$code" -eq 0 ] || failed=1
done
exit "$failed"
