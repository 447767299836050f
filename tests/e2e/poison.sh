#!/usr/bin/env bash
# poison.sh - what a receiver refuses for ever.
#   item     one sample of many has a label that is answered 400: exactly that one is quarantined, everything else
#            arrives once, and the search costs no more than 2*log2(batch) further requests
#   series   the same label comes with each scrape, three a second: once quarantined, it costs no request in 15 s
#   body     500 for ever to whatever holds one sample: exactly that one is lost (server_error), the rest arrives
# WALSHIP_LONG=1: 1,000,000 samples, and 65 s.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

rounds=200 watch=15
[ -z "${WALSHIP_LONG:-}" ] || rounds=2000 watch=65
top=$PWD/build/e2e/poison
label=unwelcome-value
trap stop_all EXIT

# prepare NAME [QUEUE]: receiver and configuration; sets dir and port
prepare() {
    dir=$top/$1
    mkdir -p "$dir/data/wal"
    read -r port status_port < <(free_ports 2)
    cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data
state_dir: $dir/state
start_at: oldest
listen_address: 127.0.0.1:$status_port
remote_write:
- name: poison
  endpoints: [{url: "http://127.0.0.1:$port/write/a"}]
  queue_config: $2
YAML
    emulator_start "$port" a
}

fault() {
    curl -fsS --noproxy '*' -X POST "http://127.0.0.1:$port/fault?endpoint=a&holding=$label&$1" >>"$dir/fault.log"
}

# settle REASON ITEMS: the receiver ends, then what arrived and what the ledger says
settle() {
    emulator_stop
    "$bin/walship" losses --json --config "$dir/walship.yml" >"$dir/losses.json"
    tests/e2e/poison.py lost --json "$dir/losses.json" --reason "$1" --items "$2"
    grep -q "$label" "$dir/losses.json" || die "the ledger does not name the labels: $dir/losses.json"
    "$bin/walship" wal dump "$dir/data/wal" | grep -v "$label" >"$dir/wal.txt"
    scripts/reconcile --dump "$dir/wal.txt" --db "$dir/received.db" --max-doubled 0
}

refused() { tests/e2e/poison.py refused --db "$dir/received.db" --from-ms "$1"; }

item() {
    prepare item '{max_shards: 1}'
    fault 'status=400&body=label+value+not+allowed'
    tests/e2e/poison.py write "$dir/data/wal" --series 500 --rounds "$rounds" --poison "$label"
    drain
    settle rejected 1
    tests/e2e/poison.py requests --db "$dir/received.db" --batch 2000
}

series() {
    local from count
    prepare series '{batch_send_deadline: 100ms}'
    fault 'status=400&body=label+value+not+allowed'
    start "$dir/writer.log" tests/e2e/poison.py write "$dir/data/wal" --series 300 --rounds $((watch * 3 + 400)) \
        --poison "$label" --every-round --pause 0.33
    writer=$STARTED_PID
    walship_start
    wait_for 60 grep -q 'refused again and again' "$dir/walship.log" || die "the series was not quarantined: $dir/walship.log"
    from=$(date +%s%3N)
    sleep "$watch"
    count=$(refused "$from")
    echo "$count requests refused in $watch s, three scrapes a second, after the series was quarantined"
    is_running "$writer" || die "the writer ended before: nothing was tested"
    [ "$count" -le $((watch / 60)) ] || die "a returning poison series costs $count requests in $watch s"
    walship_stop
    stop "$writer" || true
    emulator_stop
}

body() {
    prepare body '{batch_send_deadline: 200ms, min_backoff: 5ms, max_backoff: 100ms}'
    fault 'status=500&body=stumbled'
    start "$dir/writer.log" tests/e2e/poison.py write "$dir/data/wal" --series 300 --rounds 100 --poison "$label" --pause 0.2
    writer=$STARTED_PID
    walship_start
    wait "$writer" || die "the writer failed: $dir/writer.log"
    forget "$writer"
    wait_for 60 grep -q 'refused for good' "$dir/walship.log" || die "the culprit was not found: $dir/walship.log"
    walship_stop
    drain
    settle server_error 1
}

rm -rf "$top"
mkdir -p "$top"
side_by_side eval item series body
