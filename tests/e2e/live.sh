#!/usr/bin/env bash
# live.sh - a real Prometheus of each version there is, tailed live while walship is killed (SIGKILL) 20 times at
# random moments and Prometheus is restarted twice, once with SIGKILL; all the while one endpoint after the other throttles
# (429), fails (503), cuts connections or is slow. The newest Prometheus has 5,000 samples a second. In the end: nothing
# missing and nothing out of order against `promtool tsdb dump` of the source, and what came twice had been acked within
# 1.5 s before a kill. WALSHIP_LONG=1: 200 kills and 10 restarts.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

kills=20 restarts=2
[ -z "${WALSHIP_LONG:-}" ] || kills=200 restarts=10
top=$PWD/build/e2e/live
promtool=build/peers/prom3/usr/bin/promtool
trap stop_all EXIT

configure() {
    cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- {job_name: exporter, static_configs: [{targets: ['127.0.0.1:$exporter_port']}]}
- {job_name: prometheus, static_configs: [{targets: ['127.0.0.1:$prometheus_port']}]}
YAML
    cat >"$dir/emulator.yml" <<YAML
listen_address: 127.0.0.1:$emulator_port
database: $dir/received.db
commit_interval: 0
endpoints:
- {name: a, path: /write/a}
- {name: b, path: /write/b}
- {name: c, path: /write/c}
YAML
    cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data
state_dir: $dir/state
listen_address: 127.0.0.1:$status_port
start_at: oldest
remote_write:
- name: live
  endpoints:
  - url: http://127.0.0.1:$emulator_port/write/a
  - url: http://127.0.0.1:$emulator_port/write/b
  - url: http://127.0.0.1:$emulator_port/write/c
YAML
}

launch_prometheus() {
    start "$dir/prometheus.log" "$1" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
        --web.listen-address="127.0.0.1:$prometheus_port"
    prometheus=$STARTED_PID
    wait_for 60 answers "http://127.0.0.1:$prometheus_port/-/ready" || die "Prometheus did not start: $dir/prometheus.log"
}

launch_walship() {
    start "$dir/walship.log" build/release/walship run --config "$dir/walship.yml"
    walship=$STARTED_PID
}

# kill_walship: remembers when, in Unix milliseconds.
kill_walship() {
    is_running "$walship" || die "walship ended by itself: $dir/walship.log"
    date +%s%3N >>"$dir/kills"
    stop "$walship" KILL || true
}

# Every 1.5 s an endpoint gets a fault for a second. None of them keeps the samples of a request that it does not answer.
# shellcheck disable=SC2317 # start runs it
weather() {
    local faults=("status=429&retry_after=1" "status=503" "cut=before" "delay=300ms") names=(a b c)
    while curl -fsS -m 5 --noproxy '*' -o /dev/null -X POST \
        "http://127.0.0.1:$emulator_port/fault?endpoint=${names[RANDOM % 3]}&${faults[RANDOM % 4]}&for=1s"; do
        echo fault >>"$dir/faults"
        sleep 1.5
    done
}

# Between the kills it runs for 0.2 to 2.2 s: the scrape, the deadline and the commit each take about one.
storm() {
    local i every=$((kills / (restarts + 1))) signal=TERM
    for ((i = 1; i <= kills; i++)); do
        sleep "$((RANDOM % 2)).$((RANDOM % 8 + 2))"
        kill_walship
        if ((i % every == 0 && i / every <= restarts)); then
            stop "$prometheus" "$signal" 60 || true
            [ "$signal" = TERM ] && signal=KILL || signal=TERM
            launch_prometheus "$1"
        fi
        launch_walship
    done
    sleep 3
}

run_one() {
    local name=$1 program=$2 series=1000
    [ "$name" != prom3 ] || series=5000
    dir=$top/$name
    mkdir -p "$dir"
    read -r prometheus_port exporter_port emulator_port status_port < <(free_ports 4)
    configure
    start "$dir/emulator.log" build/release/walship-emulator --config "$dir/emulator.yml"
    emulator=$STARTED_PID
    start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series "$series" --churn 5
    wait_for 60 answers "http://127.0.0.1:$emulator_port/stats" || die "the emulator did not start"
    launch_prometheus "$program"
    launch_walship
    start "$dir/weather.log" weather
    weather=$STARTED_PID
    storm "$program"
    stop "$weather" TERM || true
    stop "$prometheus" TERM 60 || die "Prometheus did not stop cleanly"
    sleep 2
    stop "$walship" TERM 10 || die "walship did not stop cleanly: $dir/walship.log"
    build/release/walship run --once --timeout 60s --config "$dir/walship.yml" >>"$dir/walship.log" 2>&1 ||
        die "walship could not drain: $dir/walship.log"
    stop "$emulator" TERM || die "the emulator did not stop cleanly"
    "$promtool" tsdb dump "$dir/data" >"$dir/source.txt" 2>"$dir/promtool.log" || die "promtool: $dir/promtool.log"
    [ "$(wc -l <"$dir/faults")" -ge "$((kills / 2))" ] || die "too few faults: $dir/weather.log" # one in 1.5 s, a kill in 1.2 s
    scripts/reconcile --set --allow-shared --dump "$dir/source.txt" --db "$dir/received.db"
    tests/e2e/doubled.py --db "$dir/received.db" --kills "$dir/kills" --within-ms 1500
}

rm -rf "$top"
mkdir -p "$top"
if [ ! -x "$promtool" ]; then
    echo "SKIP live: promtool could not be had, so there is nothing to compare with"
    exit 77
fi
running=()
for peer in prom242 prom253 prom3; do
    program=$PWD/build/peers/$peer/usr/bin/prometheus
    if [ ! -x "$program" ]; then
        echo "SKIP live $peer: this Prometheus could not be had"
        continue
    fi
    (STARTED=(); trap stop_all EXIT; run_one "$peer" "$program") >"$top/$peer.log" 2>&1 &
    running+=("$peer:$!")
done
failed=0
for one in "${running[@]}"; do
    code=0
    wait "${one#*:}" || code=$?
    echo "== ${one%:*}: $([ "$code" -eq 0 ] && echo ok || echo "FAILED ($code)")"
    grep -v ' Killed  ' "$top/${one%:*}.log" || true # bash tells of each kill
    [ "$code" -eq 0 ] || failed=1
done
exit "$failed"
