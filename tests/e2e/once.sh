#!/usr/bin/env bash
# once.sh - `run --once` of every recorded WAL to two endpoints: every float arrives once, in order, no series on both; a
# second `--once` sends nothing; a timeout ends with 1 and a summary.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

top=$PWD/build/e2e/once
rm -rf "$top"
trap stop_all EXIT

one() {
    local name=$1 port before after code=0
    dir=$top/$1
    mkdir -p "$dir/data"
    tar -C "$dir/data" --zstd -xf "testdata/$name.tar.zst"
    read -r port < <(free_ports 1)
    walship_config once "" "$port" a b
    "$bin/walship" run --once --timeout 1s --config "$dir/walship.yml" >"$dir/timeout.log" 2>&1 || code=$?
    if [ "$code" -ne 1 ] || ! grep -q 'msg="\?destination.*pending=' "$dir/timeout.log"; then
        die "$name: no clean timeout without a receiver"
    fi
    emulator_start "$port" a b
    "$bin/walship" run --once --timeout 60s --config "$dir/walship.yml" >"$dir/first.log" 2>&1 || die "$name: the first run failed"
    before=$(curl -fsS --noproxy '*' "http://127.0.0.1:$port/stats")
    "$bin/walship" run --once --timeout 60s --config "$dir/walship.yml" >"$dir/second.log" 2>&1 || die "$name: the second run failed"
    after=$(curl -fsS --noproxy '*' "http://127.0.0.1:$port/stats")
    [ "$(requests_of "$before")" = "$(requests_of "$after")" ] || die "$name: the second run sent something"
    emulator_stop
    "$bin/walship" wal dump "$dir/data/wal" >"$dir/wal.txt"
    echo "== $name"
    scripts/reconcile --dump "$dir/wal.txt" --db "$dir/received.db" --max-doubled 0
}

requests_of() { grep -o '"requests":[0-9]*' <<<"$1" | tr '\n' ' '; }

for archive in testdata/*.tar.zst; do
    one "$(basename "$archive" .tar.zst)"
done
