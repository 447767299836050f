#!/usr/bin/env bash
# same_as_remote_write.sh - the same scrapes shipped by Prometheus' own remote_write and by walship, with the same
# external labels and the same blocks: what arrives must be the same, label by label and bucket by bucket, for each of 70
# blocks of write_relabel_configs (a table, and some made at random from a fixed seed), and for 24 of both versions with
# exemplars and native histograms on and off, with and without such rules. What both say of it on /metrics must be what
# arrived, under the same names.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

dir=$PWD/build/e2e/same_as_remote_write
table=tests/e2e/same_as_remote_write.py
need_prometheus_3 same_as_remote_write
trap stop_all EXIT
rm -rf "$dir"
mkdir -p "$dir"
read -r exporter_port prometheus_port emulator_port first_port second_port third_port < <(free_ports 6)
"$table" write "$dir" "$exporter_port" "$prometheus_port" "$emulator_port" "$first_port" "$second_port" "$third_port"

emulator_start "$emulator_port"
start "$dir/exporter.log" "$table" serve "$exporter_port"
wait_for 20 answers "http://127.0.0.1:$exporter_port/" || die "the exporter did not start"
prometheus_start "$prometheus_3" "$prometheus_port" --enable-feature=native-histograms,exemplar-storage,metadata-wal-records
wait_for 20 test -d "$dir/data/wal" || die "Prometheus made no WAL"
for n in 0 1 2; do
    start "$dir/walship$n.log" "$bin/walship" run --config "$dir/walship$n.yml"
done

# Prometheus' queues begin with what is scraped after they started, walship with all there is: from when both have
# sent of every block, to a moment whose items have all arrived.
wait_for 120 "$table" full "$dir" 0 || die "not every block got items: $dir"
from=$(date +%s%3N)
sleep 8 # so long a time is compared
wait_for 60 "$table" full "$dir" "$from" || die "the items stopped coming: $dir"
to=$(date +%s%3N)
wait_for 60 "$table" full "$dir" "$((to + 2000))" || die "the items stopped coming: $dir"
failed=0
# both send a block's series by several ways, so one may have come that far and another not yet
wait_for 30 "$table" compare "$dir" "$from" "$to" || true
"$table" compare "$dir" "$from" "$to" || failed=1
"$table" rest "$dir"
kill -HUP "$prometheus"
wait_for 60 "$table" figures "$dir" || true
"$table" figures "$dir" || failed=1
exit "$failed"
