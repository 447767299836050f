#!/usr/bin/env bash
# syscalls.sh - walship on a disk that fails: system calls on the state file and on the WAL get ENOSPC, EIO, EINTR, give
# and take only a few bytes, or wait five seconds (tests/shim/faults.c, preloaded); the state file is deleted under it
# and cannot be opened. All the while samples go out, nothing ends the process, and after a kill -9 in the middle nothing
# is missing and nothing out of order.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$PWD/build/e2e/syscalls
program=$PWD/build/peers/prom3/usr/bin/prometheus
promtool=$PWD/build/peers/prom3/usr/bin/promtool
trap stop_all EXIT

if [ ! -x "$program" ] || [ ! -x "$promtool" ]; then
    echo "SKIP syscalls: Prometheus 3 could not be had"
    exit 77
fi
rm -rf "$dir"
mkdir -p "$dir"
read -r prometheus_port exporter_port emulator_port status_port < <(free_ports 4)
cat >"$dir/prometheus.yml" <<YAML
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs:
- {job_name: exporter, static_configs: [{targets: ['127.0.0.1:$exporter_port']}]}
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
listen_address: 127.0.0.1:$status_port
start_at: oldest
remote_write:
- name: syscalls
  endpoints:
  - url: http://127.0.0.1:$emulator_port/write/a
  - url: http://127.0.0.1:$emulator_port/write/b
YAML

# rules: from the next call on; none without lines.
rules() {
    cat >"$dir/rules.new"
    mv "$dir/rules.new" "$dir/rules"
}

launch_walship() {
    start "$dir/walship.log" env LD_PRELOAD="$PWD/build/release/libwalship_faults.so" WALSHIP_FAULTS="$dir/rules" \
        build/release/walship run --config "$dir/walship.yml"
    walship=$STARTED_PID
}

# Samples that arrived so far.
arrived() { curl -fsS -m 5 --noproxy '*' "http://127.0.0.1:$emulator_port/stats" | grep -o '"samples":[0-9]*' | awk -F: '{sum += $2} END {print sum}'; }

arrived_more() { [ "$(arrived)" -gt "$1" ]; }

# during NAME SECONDS [LOG LINE]: with the rules from the standard input samples go on arriving (twice, each within 4 s), the
# log says so where it must, and the process lives.
during() {
    local name=$1 seconds=$2 line=${3:-} lines end
    lines=$(wc -l <"$dir/walship.log")
    rules
    end=$((SECONDS + seconds))
    for _ in 1 2; do
        wait_for 4 arrived_more "$(arrived)" || die "$name: nothing arrives any more"
    done
    while [ "$SECONDS" -lt "$end" ]; do sleep 0.2; done
    is_running "$walship" || die "$name: walship ended: $dir/walship.log"
    [ -z "$line" ] || wait_for 15 says "$((lines + 1))" "$line" || die "$name: the log does not say \"$line\""
    rules </dev/null
    wait_for 10 arrived_more "$(arrived)" || die "$name: nothing arrives afterwards"
    echo "ok $name"
}

# says FIRST TEXT: the log does, from that line on. It may have to wait: a commit, or the limit of lines a minute.
says() { tail -n "+$1" "$dir/walship.log" | grep -q "$2"; }

saves() { tail -n "+$1" "$dir/walship.log" | grep -q "the state is saved again"; }

rules </dev/null
start "$dir/emulator.log" build/release/walship-emulator --config "$dir/emulator.yml"
emulator=$STARTED_PID
start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series 300 --churn 3
wait_for 60 answers "http://127.0.0.1:$emulator_port/stats" || die "the emulator did not start"
start "$dir/prometheus.log" "$program" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
    --web.listen-address="127.0.0.1:$prometheus_port"
prometheus=$STARTED_PID
wait_for 60 answers "http://127.0.0.1:$prometheus_port/-/ready" || die "Prometheus did not start: $dir/prometheus.log"
launch_walship
wait_for 30 arrived_more 0 || die "nothing arrives: $dir/walship.log"

during "the state's disk is full" 3 "the state can't be saved" <<<"pwrite /state/ ENOSPC 1"
wait_for 10 saves 1 || die "the state is not saved again"
during "writing the state fails now and then" 3 "the state can't be saved" <<<"pwrite /state/ EIO 5"
during "syncing the state fails" 3 "the state can't be saved" <<<"fsync /state/ EIO 1"
during "syncing the state takes five seconds" 7 <<<"fsync /state/ 5000 1"
during "the state's calls are interrupted and short" 3 <<'RULES'
pwrite /state/ EINTR 3
pread /state/ EINTR 3
pwrite /state/ short 4
RULES
during "the WAL's reads are interrupted and short" 3 <<'RULES'
pread /wal/ EINTR 2
pread /wal/ short 3
open /wal/ EINTR 2
RULES
during "reading the WAL fails each other time" 4 "the WAL can't be read, trying again" <<<"pread /wal/ EIO 2"
during "opening segments fails each other time" 3 <<<"open /wal/ EIO 2"

rm -f "$dir"/state/walship.db*
during "the state file is deleted" 3 "it was written again" </dev/null

# In the middle of it, a kill; the next one starts with the same disk.
rules <<<"pwrite /state/ ENOSPC 2"
sleep 1
stop "$walship" KILL || true
date +%s%3N >"$dir/kills"
rules <<<"pread /wal/ EIO 7"
launch_walship
during "a start beside a failing WAL" 3 <<<"pread /wal/ EIO 7"

stop "$prometheus" TERM 60 || die "Prometheus did not stop cleanly"
sleep 2
stop "$walship" TERM 10 || die "walship did not stop cleanly: $dir/walship.log"
build/release/walship run --once --timeout 60s --config "$dir/walship.yml" >>"$dir/walship.log" 2>&1 ||
    die "walship could not drain: $dir/walship.log"
stop "$emulator" TERM || die "the emulator did not stop cleanly"

# A state that cannot be opened is said in one line.
rules <<<"open /state/ EROFS 1"
if env LD_PRELOAD="$PWD/build/release/libwalship_faults.so" WALSHIP_FAULTS="$dir/rules" build/release/walship run --once \
    --config "$dir/walship.yml" >"$dir/readonly.log" 2>&1; then
    die "it ran without a state"
fi
grep -q "Read-only file system" "$dir/readonly.log" || die "it does not say why: $dir/readonly.log"

"$promtool" tsdb dump "$dir/data" >"$dir/source.txt" 2>"$dir/promtool.log" || die "promtool: $dir/promtool.log"
scripts/reconcile --set --dump "$dir/source.txt" --db "$dir/received.db"
build/release/walship losses --config "$dir/walship.yml"
build/release/walship losses --config "$dir/walship.yml" | grep -q ": 0 items lost" || die "something is on the ledger"
