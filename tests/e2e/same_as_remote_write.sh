#!/usr/bin/env bash
# same_as_remote_write.sh - the same scrapes shipped by Prometheus' own remote_write and by walship, with the same
# external labels and the same blocks: what arrives must be the same, label by label and bucket by bucket, for each of 70
# blocks of write_relabel_configs (a table, and some made at random from a fixed seed), and for 24 of both versions with
# exemplars and native histograms on and off, with and without such rules. What both say of it on /metrics must be what
# arrived, under the same names.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$PWD/build/e2e/same_as_remote_write
prometheus=$PWD/build/peers/prom3/usr/bin/prometheus
table=tests/e2e/same_as_remote_write.py
if [ ! -x "$prometheus" ]; then
    echo "SKIP same_as_remote_write: Prometheus 3 could not be had"
    exit 77
fi
trap stop_all EXIT
rm -rf "$dir"
mkdir -p "$dir"
read -r exporter_port prometheus_port emulator_port first_port second_port third_port < <(free_ports 6)
"$table" write "$dir" "$exporter_port" "$prometheus_port" "$emulator_port" "$first_port" "$second_port" "$third_port"

start "$dir/emulator.log" build/release/walship-emulator --config "$dir/emulator.yml"
start "$dir/exporter.log" "$table" serve "$exporter_port"
wait_for 20 answers "http://127.0.0.1:$emulator_port/stats" || die "FAIL the emulator did not start"
wait_for 20 answers "http://127.0.0.1:$exporter_port/" || die "FAIL the exporter did not start"
start "$dir/prometheus.log" "$prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
    --web.listen-address="127.0.0.1:$prometheus_port" --enable-feature=native-histograms,exemplar-storage
prometheus_pid=$STARTED_PID
wait_for 60 answers "http://127.0.0.1:$prometheus_port/-/ready" || die "FAIL Prometheus did not start: $dir/prometheus.log"
wait_for 20 test -d "$dir/data/wal" || die "FAIL Prometheus made no WAL"
for n in 0 1 2; do
    start "$dir/walship$n.log" build/release/walship run --config "$dir/walship$n.yml"
done

# Prometheus' queues begin with what is scraped after they started, walship with all there is: from when both have
# sent of every block, to a moment whose items have all arrived.
wait_for 60 "$table" full "$dir" 0 || die "FAIL not every block got items: $dir"
from=$(date +%s%3N)
sleep 8
to=$(date +%s%3N)
wait_for 30 "$table" full "$dir" "$((to + 2000))" || die "FAIL the items stopped coming: $dir"
sleep 2
failed=0
"$table" compare "$dir" "$from" "$to" || failed=1
"$table" rest "$dir"
kill -HUP "$prometheus_pid"
wait_for 20 "$table" figures "$dir" || failed=1
"$table" figures "$dir" || failed=1
exit "$failed"
