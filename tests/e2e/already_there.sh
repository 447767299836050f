#!/usr/bin/env bash
# already_there.sh - every batch delivered twice to a real receiver: the first answer to each body is cut by a proxy, and
# walship is killed (SIGKILL) again and again. Prometheus 3.x, with no out-of-order window (it rolls a whole request back
# with 400), and VictoriaMetrics: nothing is counted as lost, nothing is missing, nothing invented.
# WALSHIP_LONG=1: 60 kills instead of 8.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

kills=8
[ -z "${WALSHIP_LONG:-}" ] || kills=60
top=$PWD/build/e2e/already_there
victoria=$PWD/build/peers/vm/usr/bin/victoria-metrics
trap stop_all EXIT

configure() {
    scrape 200ms "exporter:$exporter_port"
    cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data
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
        echo 'global: {}' >"$dir/receiver.yml"
        start "$dir/receiver.log" "$prometheus_3" --config.file="$dir/receiver.yml" --storage.tsdb.path="$dir/receiver" \
            --web.listen-address="127.0.0.1:$receiver_port" --web.enable-remote-write-receiver
        receiver=$STARTED_PID
        wait_for 60 answers "http://127.0.0.1:$receiver_port/-/ready" || die "the receiver did not start: $dir/receiver.log"
    else
        start "$dir/receiver.log" "$victoria" -storageDataPath="$dir/receiver" -httpListenAddr="127.0.0.1:$receiver_port" \
            -retentionPeriod=1y -search.maxUniqueTimeseries=1000000
        receiver=$STARTED_PID
        wait_for 60 answers "http://127.0.0.1:$receiver_port/health" || die "VictoriaMetrics did not start: $dir/receiver.log"
    fi
}

# posts: how many requests the proxy has had.
posts() { grep -c '' "$dir/proxy.log"; }
more_posts() { [ "$(posts)" -gt "$1" ]; }

storm() {
    local i before
    for ((i = 0; i < kills; i++)); do
        before=$(posts || true)
        walship_start
        wait_for 60 more_posts "$before" || die "walship sends nothing: $dir/walship.log"
        sleep "$((RANDOM % 2 + 1)).$((RANDOM % 10))"
        walship_kill
    done
}

judge() {
    dump "$dir/data" "$dir/source.txt"
    "$bin/walship" losses --json --config "$dir/walship.yml" >"$dir/losses.json"
    tests/e2e/already_there.py lost --json "$dir/losses.json"
    if [ "$1" = prometheus ]; then
        stop "$receiver" TERM 60 || die "the receiver did not stop cleanly"
        dump "$dir/receiver" "$dir/received.txt"
        tests/e2e/already_there.py compare --source "$dir/source.txt" --received "$dir/received.txt"
        grep -q '^400 ' "$dir/proxy.log" || die "the receiver never refused anything: this run proves nothing"
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
    prometheus_start "$prometheus_3" "$source_port"
    storm
    prometheus_stop
    touch "$dir/calm"
    drain
    judge "$1"
}

rm -rf "$top"
mkdir -p "$top"
need_prometheus_3 already_there
receivers=(prometheus)
if [ -x "$victoria" ]; then receivers+=(victoria); else echo "SKIP already_there victoria: it could not be had"; fi
side_by_side run_one "${receivers[@]}"
