#!/usr/bin/env bash
# syscalls.sh - walship on a disk that fails: system calls on the state file and on the WAL get ENOSPC, EIO, EINTR, give
# and take only a few bytes, or wait ten seconds (tests/shim/faults.c, preloaded); the state file is deleted under it
# and cannot be opened. All the while samples go out, nothing ends the process, and after a kill -9 in the middle nothing
# is missing and nothing out of order.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

dir=$PWD/build/e2e/syscalls
trap stop_all EXIT
need_prometheus_3 syscalls
rm -rf "$dir"
mkdir -p "$dir"
read -r prometheus_port exporter_port emulator_port status_port < <(free_ports 4)

# rules: from the next call on; none without lines.
rules() {
    cat >"$dir/rules.new"
    mv "$dir/rules.new" "$dir/rules"
}

walship_prefix=(env "LD_PRELOAD=$bin/libwalship_faults.so" "WALSHIP_FAULTS=$dir/rules")

# during NAME SECONDS [LOG LINE]: with the rules from the standard input samples go on arriving (twice), the log says so where it
# must, and the process lives.
patience=30 # seconds
during() {
    local name=$1 seconds=$2 line=${3:-} lines end
    lines=$(wc -l <"$dir/walship.log")
    rules
    end=$((SECONDS + seconds))
    for _ in 1 2; do
        wait_for "$patience" arrived_more "$emulator_port" "$(arrived "$emulator_port")" || die "$name: nothing arrives any more"
    done
    while [ "$SECONDS" -lt "$end" ]; do sleep 0.2; done
    is_running "$walship" || die "$name: walship ended: $dir/walship.log"
    [ -z "$line" ] || wait_for 30 says "$((lines + 1))" "$line" || die "$name: the log does not say \"$line\""
    rules </dev/null
    wait_for 30 arrived_more "$emulator_port" "$(arrived "$emulator_port")" || die "$name: nothing arrives afterwards"
    echo "ok $name"
}

# says FIRST TEXT: the log does, from that line on. It may have to wait: a commit, or the limit of lines a minute.
says() { tail -n "+$1" "$dir/walship.log" | grep -q "$2"; }

saves() { tail -n "+$1" "$dir/walship.log" | grep -q "the state is saved again"; }

rules </dev/null
scrape 500ms "exporter:$exporter_port"
walship_config syscalls "$status_port" "$emulator_port" a b
emulator_start "$emulator_port" a b
start "$dir/exporter.log" scripts/exporter --port "$exporter_port" --series 300 --churn 3
prometheus_start "$prometheus_3" "$prometheus_port"
walship_start
wait_for 30 arrived_more "$emulator_port" 0 || die "nothing arrives: $dir/walship.log"

during "the state's disk is full" 3 "the state can't be saved" <<<"pwrite /state/ ENOSPC 1"
wait_for 30 saves 1 || die "the state is not saved again"
during "writing the state fails now and then" 3 "the state can't be saved" <<<"pwrite /state/ EIO 5"
during "syncing the state fails" 3 "the state can't be saved" <<<"fsync /state/ EIO 1"
patience=8 # this is about time: between two syncs something arrives anyway, during one it must, too
during "syncing the state takes ten seconds" 12 <<<"fsync /state/ 10000 1"
patience=30
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
walship_kill
rules <<<"pread /wal/ EIO 7"
walship_start
during "a start beside a failing WAL" 3 <<<"pread /wal/ EIO 7"

prometheus_stop
sleep 2
walship_stop
drain
emulator_stop

# A state that cannot be opened is said in one line.
rules <<<"open /state/ EROFS 1"
if "${walship_prefix[@]}" "$bin/walship" run --once --config "$dir/walship.yml" >"$dir/readonly.log" 2>&1; then
    die "it ran without a state"
fi
grep -q "Read-only file system" "$dir/readonly.log" || die "it does not say why: $dir/readonly.log"

dump "$dir/data" "$dir/source.txt"
scripts/reconcile --set --dump "$dir/source.txt" --db "$dir/received.db"
"$bin/walship" losses --config "$dir/walship.yml"
"$bin/walship" losses --config "$dir/walship.yml" | grep -q ": 0 items lost" || die "something is on the ledger"
