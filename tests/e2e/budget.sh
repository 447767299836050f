#!/usr/bin/env bash
# budget.sh - the spool may hold less than the outage needs: what is missing in the end equals walship's ledger of
# losses, sample for sample, in number and in time. A real Prometheus deletes its WAL meanwhile, walship is killed in
# the middle. The budget is 5 MB; so many samples come that Prometheus deletes more than that at once. WALSHIP_LONG=1:
# blocks of 1 min instead of 10 s, and fewer samples a second.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

block=10s wait_s=150 series=15000
[ -z "${WALSHIP_LONG:-}" ] || block=1m wait_s=900 series=3000
dir=$PWD/build/e2e/budget
trap stop_all EXIT
need_prometheus_3 budget
rm -rf "$dir"
mkdir -p "$dir"
read -r prometheus_port exporter_port emulator_port < <(free_ports 3)
ledger() { "$bin/walship" losses --json --config "$dir/walship.yml" 2>>"$dir/losses.log" || true; }
lost() { ledger | tests/e2e/budget.py items; }
more_lost() { [ "$(lost)" -gt "$1" ]; }
drained() { [ "$(find "$dir/state/spool" -type f | wc -l)" -le 2 ]; }

scrape 1s "exporter:$exporter_port"
walship_config budget "" "$emulator_port" a b
cat >>"$dir/walship.yml" <<YAML
  queue_config: {max_backoff: 1s}
spool_max_bytes: 5MB
spool_min_free: 1MB
YAML
start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series "$series" --churn 20
prometheus_start "$prometheus_3" "$prometheus_port" --no-storage.tsdb.wal-compression \
    --storage.tsdb.min-block-duration="$block" --storage.tsdb.max-block-duration="$block"
emulator_start "$emulator_port" a b
walship_start
wait_for 60 arrived_more "$emulator_port" 0 || die "nothing arrived before the outage"
emulator_stop
wait_for "$wait_s" more_lost 0 || die "the budget was never exceeded"
walship_kill
before=$(lost)
walship_start
wait_for "$wait_s" more_lost "$before" || die "after the restart the budget was not exceeded again"
emulator_start "$emulator_port"
wait_for 120 drained || die "the spool was not drained: $(find "$dir/state/spool" -type f | tr '\n' ' ')"
prometheus_stop
walship_stop
drain
emulator_stop
dump "$dir/data" "$dir/source.txt"
ledger | tests/e2e/budget.py compare "$dir/source.txt" "$dir/received.db"
