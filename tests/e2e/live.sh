#!/usr/bin/env bash
# live.sh - a real Prometheus of each version there is, tailed live while walship is killed (SIGKILL) 20 times at random moments
# and Prometheus twice; all the while one endpoint after the other throttles (429), fails (503), cuts connections or is slow. The
# newest Prometheus has 5,000 samples a second. In the end: nothing missing and nothing out of order against `promtool tsdb dump`
# of the source, and what came twice had been acked within 1.5 s before a kill. WALSHIP_LONG=1: 200 kills, and 10 of Prometheus.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

kills=20 restarts=2
[ -z "${WALSHIP_LONG:-}" ] || kills=200 restarts=10
top=$PWD/build/e2e/live
trap stop_all EXIT

# Every 1.5 s an endpoint gets a fault for a second. None of them keeps the samples of a request that it does not answer.
# shellcheck disable=SC2317 # start runs it
weather() {
    local faults=("status=429&retry_after=1" "status=503" "cut=before" "delay=300ms") names=(a b c)
    while :; do
        ! curl -fsS -m 5 --noproxy '*' -o /dev/null -X POST \
            "http://127.0.0.1:$emulator_port/fault?endpoint=${names[RANDOM % 3]}&${faults[RANDOM % 4]}&for=1s" || echo fault >>"$dir/faults"
        sleep 1.5
    done
}

# Between the kills it runs for 0.2 to 2.2 s: the scrape, the deadline and the commit each take about one.
storm() {
    local i every=$((kills / (restarts + 1))) before
    for ((i = 1; i <= kills; i++)); do
        sleep "$((RANDOM % 2)).$((RANDOM % 8 + 2))"
        walship_kill
        if ((i % every == 0 && i / every <= restarts)); then
            stop "$prometheus" KILL || true
            prometheus_start "$1" "$prometheus_port"
        fi
        walship_start
        if ((i % every == 0 && i / every <= restarts)); then # Prometheus scrapes again after some 5 s: the kills shall meet a load
            before=$(arrived "$emulator_port")
            wait_for 30 arrived_more "$emulator_port" $((before + 2000)) || die "nothing arrives after Prometheus' restart"
        fi
    done
    sleep 3
}

run_one() {
    local program=$PWD/build/peers/$1/usr/bin/prometheus series=1000 weather
    [ "$1" != prom3 ] || series=5000
    dir=$top/$1
    mkdir -p "$dir"
    read -r prometheus_port exporter_port emulator_port status_port < <(free_ports 4)
    scrape 1s "exporter:$exporter_port" "prometheus:$prometheus_port"
    walship_config live "$status_port" "$emulator_port" a b c
    emulator_start "$emulator_port" a b c
    start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series "$series" --churn 5
    prometheus_start "$program" "$prometheus_port"
    walship_start
    start "$dir/weather.log" weather
    weather=$STARTED_PID
    storm "$program"
    stop "$weather" TERM || true
    prometheus_stop
    sleep 2
    walship_stop
    drain
    emulator_stop
    dump "$dir/data" "$dir/source.txt"
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
peers=()
for peer in prom242 prom253 prom3; do
    if [ -x "build/peers/$peer/usr/bin/prometheus" ]; then
        peers+=("$peer")
    else
        echo "SKIP live $peer: this Prometheus could not be had"
    fi
done
side_by_side run_one "${peers[@]}"
