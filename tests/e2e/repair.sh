#!/usr/bin/env bash
# repair.sh - the WAL directory gets another life under walship, by real Prometheus: bytes flipped in the newest, a middle
# and a checkpoint segment, the newest segment cut below what was shipped (power loss), an emptied directory that begins
# at 0 again, a directory restored from a copy. Each with walship running all the while, and with walship started
# afterwards. Then, against `promtool tsdb dump` from before and after: nothing missing but what `walship losses` says,
# nothing invented, nothing out of order, nothing twice but what the replaced WAL directory held, and the log says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

top=$PWD/build/e2e/repair
base=$top/base
samples=2000 # that Prometheus takes before it is stopped again: ten scrapes
trap stop_all EXIT

need_prometheus_3 repair

configure() {
    scrape 200ms "exporter:$exporter_port"
    walship_config repair "$status_port" "$emulator_port" a b
    emulator_start "$emulator_port" a b
}

parts=()
for part in newest middle checkpoint refused powerloss emptied restored; do parts+=("$part-alive" "$part-dead"); done

# ports INDEX: of one run; all are chosen at the beginning, since a part may start nothing on a port for a while.
ports() { read -r prometheus_port emulator_port status_port <<<"${all_ports[*]:$1*3:3}"; }

# index_of PART: from 1; 0 is the base.
index_of() {
    local i
    for ((i = 0; i < ${#parts[@]}; i++)); do [ "${parts[i]}" != "$1" ] || echo $((i + 1)); done
}

# A WAL of several segments behind a checkpoint, all of it shipped.
base_make() {
    local i options
    dir=$base
    mkdir -p "$dir"
    ports 0
    configure
    for i in 1 2 3 4; do
        options=()
        [ "$i" -lt 4 ] || options=(--storage.tsdb.min-block-duration=8s --storage.tsdb.max-block-duration=8s)
        prometheus_start "$prometheus_3" "$prometheus_port" ${options[@]+"${options[@]}"}
        [ "$i" -ne 1 ] || walship_start
        [ "$i" -lt 4 ] || wait_for 60 checkpointed || die "Prometheus wrote no checkpoint"
        scrape_some # the segment that the checkpoint began is not to be empty: there would be nothing to damage
        prometheus_stop
    done
    walship_stop
    drain
    emulator_stop
    [ "$(segments | wc -l)" -ge 3 ] || die "too few segments: $(segments | tr '\n' ' ')"
    dump "$dir/data" "$dir/before.txt"
}

checkpointed() { compgen -G "$dir/data/wal/checkpoint.*[0-9]"; }

# scrape_some: until Prometheus has taken so many samples more.
scrape_some() {
    local before
    before=$(scraped)
    wait_for 60 scraped_more $((before + samples)) || die "Prometheus scrapes nothing: $dir/prometheus.log"
}
scraped() {
    curl -fsS -m 5 --noproxy '*' "http://127.0.0.1:$prometheus_port/metrics" |
        awk '/^prometheus_tsdb_head_samples_appended_total/ {n += $NF} END {printf "%d", n}'
}
scraped_more() { [ "$(scraped)" -ge "$1" ]; }

segments() { find "$dir/data/wal" -maxdepth 1 -name '0*' -size +0 | sort; }

# flip FILE: turns a byte in the middle of what was written.
flip() {
    python3 - "$1" <<'PY'
import sys
with open(sys.argv[1], "r+b") as file:
    data = file.read()
    at = len(data.rstrip(b"\0")) // 2
    file.seek(at)
    file.write(bytes([data[at] ^ 0x40]))
PY
}

# cut FILE: a third of what was written is gone.
cut_file() {
    python3 - "$1" <<'PY'
import os, sys
with open(sys.argv[1], "rb") as file:
    bytes_written = len(file.read().rstrip(b"\0"))
os.truncate(sys.argv[1], bytes_written * 2 // 3)
PY
}

flip_checkpoint() {
    cp -a "$dir"/data/wal/checkpoint.* "$dir/"
    flip "$(find "$dir"/data/wal/checkpoint.* -name '0*' | sort | tail -n 1)"
}

break_it() {
    case $1 in
    newest) flip "$(segments | tail -n 1)" ;;
    middle) flip "$(segments | tail -n 2 | head -n 1)" ;;
    checkpoint) flip_checkpoint ;;
    refused) # by Prometheus, which has deleted all segments by then: the operator removes the rest
        flip_checkpoint
        "$prometheus_3" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
            --web.listen-address="127.0.0.1:$prometheus_port" >>"$dir/prometheus.log" 2>&1 && die "it was no corruption"
        rm -rf "$dir"/data/wal/checkpoint.*
        ;;
    powerloss) cut_file "$(segments | tail -n 1)" ;;
    emptied) rm -rf "$dir"/data/* ;;
    restored) rm -rf "$dir/data" && cp -a "$base/data" "$dir/data" ;;
    esac
}

stop_prometheus() {
    local signal=TERM
    [ "$1" != powerloss ] || signal=KILL
    stop "$prometheus" "$signal" 60 || [ "$signal" = KILL ] || die "Prometheus did not stop cleanly"
}

# All that a stopped Prometheus has is shipped; a dead walship has it saved.
shipped() {
    if [ "$1" = dead ]; then
        walship_stop
        drain
    else
        caught_up_at_last
    fi
}
caught_up_at_last() { wait_for 60 caught_up "$status_port" || die "not all was shipped: $dir/walship.log"; }

# The lost items that the ledger knows of.
lost() {
    "$bin/walship" losses --json --config "$dir/walship.yml" |
        python3 -c 'import json, sys; print(sum(one["lost"] for one in json.load(sys.stdin)["destinations"]))'
}

compare() {
    local missing known twice=0
    [ ! -f "$dir/wal.txt" ] || twice=$(wc -l <"$dir/wal.txt")
    sort -u "$base/before.txt" "$dir/before.txt" "$dir/after.txt" | awk '{print $NF "\t" $0}' | sort -s -n -k1,1 | cut -f2- \
        >"$dir/all.txt"
    known=$(lost)
    # the endpoint's port is another one than the base's, so series are on two
    scripts/reconcile --set --allow-shared --max-doubled "$twice" --dump "$dir/all.txt" --db "$dir/received.db" >"$dir/account.txt" ||
        [ "$known" -gt 0 ] || { cat "$dir/account.txt" && die "the account is not clean"; }
    cat "$dir/account.txt"
    missing=$(awk '$1 == "missing" {print $2}' "$dir/account.txt")
    [ "$missing" = "$known" ] || die "missing $missing, the ledger says $known"
    awk '/^(invented|out of order) / && $NF != 0 {exit 1}' "$dir/account.txt" || die "the account is not clean"
}

# run_one CASE-MODE: alive, walship runs all the while; dead, it is started afterwards.
run_one() {
    local case=${1%-*} mode=${1#*-}
    dir=$top/$1
    mkdir -p "$dir"
    cp -a "$base/data" "$base/state" "$base/received.db" "$dir/"
    ports "$(index_of "$1")"
    configure
    prometheus_start "$prometheus_3" "$prometheus_port"
    walship_start
    scrape_some
    if [ "$case" = checkpoint ]; then # Prometheus runs on: it does not look at it again
        [ "$mode" = alive ] || shipped "$mode"
        break_it "$case"
    else
        stop_prometheus "$case"
        shipped "$mode"
        dump "$dir/data" "$dir/before.txt"
        "$bin/walship" wal dump "$dir/data" >"$dir/wal.txt"
        break_it "$case"
        prometheus_start "$prometheus_3" "$prometheus_port"
    fi
    [ "$mode" = alive ] || walship_start
    scrape_some
    prometheus_stop
    caught_up_at_last # items without a series record, too, which are waited for
    walship_stop
    [ "$case" = checkpoint ] || drain
    emulator_stop
    if [ "$case" = checkpoint ]; then # promtool reads it, too
        rm -rf "$dir"/data/wal/checkpoint.* && cp -a "$dir"/checkpoint.* "$dir/data/wal/" && touch "$dir/before.txt"
    fi
    dump "$dir/data" "$dir/after.txt"
    compare
    case $case-$mode in
    checkpoint-alive) ;; # it knows the series
    checkpoint-dead) grep -q "damaged bytes in the checkpoint" "$dir/walship.log" || die "unnoticed: $dir/walship.log" ;;
    *) grep -qE "segments of the WAL were replaced|the WAL is not what was read" "$dir/walship.log" || die "unnoticed: $dir/walship.log" ;;
    esac
}

rm -rf "$top"
mkdir -p "$top"
read -r exporter_port all_ports < <(free_ports 46)
read -r -a all_ports <<<"$all_ports"
start "$top/exporter.log" scripts/exporter --port "$exporter_port" --series 200 --churn 2
base_make
side_by_side run_one "${parts[@]}"
