#!/usr/bin/env bash
# budget.sh - the spool may hold less than the outage needs: what is missing in the end equals walship's ledger of
# losses, sample for sample, in number and in time. A real Prometheus deletes its WAL meanwhile, walship is killed in
# the middle. WALSHIP_LONG=1: blocks of 1 min and 5 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

block=10s wait_s=150 max_bytes=1MB
[ -z "${WALSHIP_LONG:-}" ] || block=1m wait_s=900 max_bytes=5MB
walship=build/release/walship
program=build/peers/prom3/usr/bin/prometheus promtool=build/peers/prom3/usr/bin/promtool
dir=$PWD/build/e2e/budget
trap stop_all EXIT
rm -rf "$dir"
mkdir -p "$dir"
if [ ! -x "$program" ]; then
    echo "SKIP budget: Prometheus 3 could not be had"
    exit 77
fi
read -r prometheus_port exporter_port emulator_port < <(free_ports 3)
cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: exporter, static_configs: [{targets: ['127.0.0.1:$exporter_port']}]}]
YAML
cat >"$dir/emulator.yml" <<YAML
listen_address: 127.0.0.1:$emulator_port
database: $dir/received.db
commit_interval: 0
endpoints:
- {name: a, path: /write/a}
- {name: b, path: /write/b}
YAML
cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data
state_dir: $dir/state
spool_max_bytes: $max_bytes
spool_min_free: 1MB
listen_address: ""
start_at: oldest
remote_write:
- name: budget
  queue_config: {max_backoff: 1s}
  endpoints:
  - url: http://127.0.0.1:$emulator_port/write/a
  - url: http://127.0.0.1:$emulator_port/write/b
YAML
launch_walship() {
    start "$dir/walship.log" "$walship" run --config "$dir/walship.yml"
    pid=$STARTED_PID
}
launch_emulator() {
    start "$dir/emulator.log" build/release/walship-emulator --config "$dir/emulator.yml"
    emulator=$STARTED_PID
    wait_for 60 answers "http://127.0.0.1:$emulator_port/stats" || die "the emulator did not start"
}
sent() { [ "$(curl -fsS --noproxy '*' "http://127.0.0.1:$emulator_port/stats" | grep -c '"samples":[1-9]')" -gt 0 ]; }
ledger() { "$walship" losses --json --config "$dir/walship.yml" 2>>"$dir/losses.log" || true; }
lost() { ledger | tests/e2e/budget.py items; }
more_lost() { [ "$(lost)" -gt "$1" ]; }
drained() { [ "$(find "$dir/state/spool" -type f | wc -l)" -le 2 ]; }

start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series 3000 --churn 20
start "$dir/prometheus.log" "$program" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
    --web.listen-address="127.0.0.1:$prometheus_port" --no-storage.tsdb.wal-compression \
    --storage.tsdb.min-block-duration="$block" --storage.tsdb.max-block-duration="$block"
prometheus=$STARTED_PID
wait_for 60 answers "http://127.0.0.1:$prometheus_port/-/ready" || die "Prometheus did not start: $dir/prometheus.log"
launch_emulator
launch_walship
wait_for 60 sent || die "nothing arrived before the outage"
stop "$emulator" TERM || die "the emulator did not stop cleanly"
wait_for "$wait_s" more_lost 0 || die "the budget was never exceeded"
stop "$pid" KILL || true
before=$(lost)
launch_walship
wait_for "$wait_s" more_lost "$before" || die "after the restart the budget was not exceeded again"
launch_emulator
wait_for 30 drained || die "the spool was not drained: $(find "$dir/state/spool" -type f | tr '\n' ' ')"
stop "$prometheus" TERM 60 || die "Prometheus did not stop cleanly"
stop "$pid" TERM 10 || die "walship did not stop cleanly: $dir/walship.log"
"$walship" run --once --timeout 60s --config "$dir/walship.yml" >>"$dir/walship.log" 2>&1 || die "walship could not drain"
stop "$emulator" TERM || die "the emulator did not stop cleanly"
"$promtool" tsdb dump "$dir/data" >"$dir/source.txt" 2>"$dir/promtool.log" || die "promtool: $dir/promtool.log"
ledger | tests/e2e/budget.py compare "$dir/source.txt" "$dir/received.db"
