#!/usr/bin/env bash
# receiver.sh - real receivers, fed from the recorded WAL that holds every kind of item, by `run --once`:
# Prometheus 3.x over 1.0 and 2.0, with and without external labels: `promtool tsdb dump` of the receiver equals what is
# expected line for line, histograms included (those with custom buckets over 2.0 only; over 1.0 exactly they are lost as
# unsupported), its exemplars are those of the WAL; with the switches off, floats alone, the rest counted as dropped.
# VictoriaMetrics over 1.0: every float. Metadata over 1.0: what a scraping Prometheus' API says is what an emulator gets.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

top=$PWD/build/e2e/receiver
wal=$top/data/wal
victoria=build/peers/vm/usr/bin/victoria-metrics
trap stop_all EXIT
failed=0

fail() {
    echo "FAIL $*"
    failed=1
}

# The receiver begins with an empty database, so it takes samples of any age; without retention it deletes none.
receiver_start() {
    printf 'storage: {exemplars: {max_exemplars: 1000000}}\n' >"$dir/prometheus.yml"
    prometheus_start "$prometheus_3" "$port" --web.enable-remote-write-receiver --storage.tsdb.retention.time=100y \
        --enable-feature=native-histograms,exemplar-storage,metadata-wal-records
}

# ship NAME EXTRA: the configuration's keys beside the URL; EXTERNAL is a YAML map.
ship() {
    cat >"$dir/walship.yml" <<YAML
wal_dir: $wal
state_dir: $dir/state
start_at: oldest
listen_address: ""
external_labels: $external
remote_write:
- url: http://127.0.0.1:$port/api/v1/write
$1
YAML
    "$bin/walship" run --once --timeout 60s --config "$dir/walship.yml" >"$dir/walship.log" 2>&1 ||
        fail "$name: walship did not deliver: $dir/walship.log"
    figures=$(grep -o 'read=.*' "$dir/walship.log" | tail -1)
}

# one NAME VERSION EXTERNAL LABEL=VALUE...: all kinds, into a Prometheus
one() {
    name=$1 external=$3
    local version=$2 custom=()
    shift 3
    dir=$top/$name
    mkdir -p "$dir"
    read -r port < <(free_ports 1)
    receiver_start
    ship "  protobuf_message: $version
  send_exemplars: true
  send_native_histograms: true"
    curl -fsS -m 20 --noproxy '*' "http://127.0.0.1:$port/api/v1/query_exemplars" --get --data-urlencode 'query={__name__!=""}' \
        -d start=0 -d end=9999999999 >"$dir/exemplars.json" || fail "$name: the receiver tells no exemplars"
    prometheus_stop
    dump "$dir/data" "$dir/dump.txt"
    echo "== $name: $figures"
    [ "$version" != prometheus.WriteRequest ] || custom=(--without-custom "$customs" "$top/wal.txt")
    tests/e2e/receiver.py dump "$top/expected.txt" "$dir/dump.txt" "$@" ${custom[@]+"${custom[@]}"} || failed=1
    if [ "$version" != prometheus.WriteRequest ] && [ $# -eq 0 ]; then
        # the receiver logs what it was told of each series in its own WAL
        "$bin/walship" wal dump "$dir/data/wal" | grep '^# metadata ' | sort -u >"$dir/metadata.txt" || true
        grep '^# metadata ' "$top/wal.txt" | sort -u | comm -23 - "$dir/metadata.txt" >"$dir/unknown.txt"
        if [ ! -s "$dir/metadata.txt" ] || [ -s "$dir/unknown.txt" ]; then
            fail "$name: metadata did not arrive: $dir/unknown.txt"
        fi
        echo "metadata: $(wc -l <"$dir/metadata.txt") series know theirs, all of the WAL's $(grep -c '^# metadata ' "$top/wal.txt") among them"
    fi
    [ $# -ne 0 ] || tests/e2e/receiver.py exemplars "$top/wal.txt" "$dir/exemplars.json" || failed=1
    if [ "$version" = prometheus.WriteRequest ]; then
        [ "$(grep -o 'lost=[0-9]*' <<<"$figures")" = "lost=$customs" ] || fail "$name: $customs histograms have custom buckets"
    else
        grep -q 'dropped=0 lost=0' <<<"$figures" || fail "$name: something was dropped or lost"
    fi
}

# off: the default switches. What is not sent is dropped by rule, with account.
off() {
    name=off external='{}' dir=$top/off
    mkdir -p "$dir"
    read -r port < <(free_ports 1)
    receiver_start
    ship ""
    prometheus_stop
    dump "$dir/data" "$dir/dump.txt"
    echo "== off: $figures"
    grep -v '} {' "$top/expected.txt" >"$dir/floats.txt"
    tests/e2e/receiver.py dump "$dir/floats.txt" "$dir/dump.txt" || failed=1
    grep -q " dropped=$others lost=0" <<<"$figures" || fail "off: $others histograms and exemplars are in the WAL"
}

victoria() {
    if [ ! -x "$victoria" ]; then
        echo "SKIP receiver victoria: VictoriaMetrics could not be had"
        return
    fi
    name=victoria external='{}' dir=$top/victoria
    mkdir -p "$dir"
    read -r port < <(free_ports 1)
    start "$dir/victoria.log" "$victoria" -storageDataPath="$dir/data" -httpListenAddr="127.0.0.1:$port" -retentionPeriod=100y
    receiver=$STARTED_PID
    wait_for 60 answers "http://127.0.0.1:$port/health" || die "VictoriaMetrics did not start: $dir/victoria.log"
    ship "  send_exemplars: true"
    curl -fsS -m 20 --noproxy '*' "http://127.0.0.1:$port/internal/force_flush" >"$dir/flush.txt"
    curl -fsS -m 20 --noproxy '*' "http://127.0.0.1:$port/api/v1/export" --get --data-urlencode 'match[]={__name__!=""}' \
        -d start=0 -d end=4000000000 >"$dir/export.json" || fail "victoria: no export"
    stop "$receiver" TERM || fail "victoria: it did not stop cleanly"
    echo "== victoria: $figures"
    tests/e2e/receiver.py export "$top/expected.txt" "$dir/export.json" || failed=1
}

# api: no metadata in this WAL; it comes from prometheus_url, in requests of its own. The password in that is said nowhere.
api() {
    name=api dir=$top/api
    mkdir -p "$dir"
    local emulator_port
    read -r port emulator_port < <(free_ports 2)
    scrape 1s "self:$port"
    cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data
state_dir: $dir/state
listen_address: ""
prometheus_url: http://someone:geheim@127.0.0.1:$port
remote_write: [{url: "http://127.0.0.1:$emulator_port/write/a", metadata_config: {send_interval: 1s, max_samples_per_send: 50}}]
YAML
    emulator_start "$emulator_port" a
    prometheus_start "$prometheus_3" "$port"
    walship_start
    wait_for 30 metadata_equal || fail "api: the metadata did not arrive"
    echo "== api"
    tests/e2e/receiver.py metadata "$dir/metadata.json" "$dir/received.db" || failed=1
    prometheus_stop
    wait_for 30 grep -q "metadata can't be had" "$dir/walship.log" || fail "api: it does not say that Prometheus is away"
    walship_stop
    if grep -q geheim "$dir/walship.log"; then fail "api: the password of prometheus_url is in the log"; fi
}

# shellcheck disable=SC2317  # called by wait_for
metadata_equal() {
    curl -fsS -m 10 --noproxy '*' "http://127.0.0.1:$port/api/v1/metadata" >"$dir/metadata.json" &&
        tests/e2e/receiver.py metadata "$dir/metadata.json" "$dir/received.db"
}

need_prometheus_3 receiver
rm -rf "$top"
mkdir -p "$top/data"
tar -C "$top/data" --zstd -xf testdata/v3.5-all-types.tar.zst
zstd -dcq testdata/v3.5-all-types.expected.txt.zst >"$top/expected.txt"
"$bin/walship" wal dump "$wal" >"$top/wal.txt"
# items_of PATTERN: how many items of such records the WAL's segments have
items_of() { "$bin/walship" wal stat "$wal" | awk -v pattern="$1" '$1 ~ pattern {n += $3} END {print n}'; }
customs=$(items_of '^custom_buckets_')
others=$(items_of 'histogram_samples$|^exemplars$')
one v1 prometheus.WriteRequest '{}'
one v2 io.prometheus.write.v2.Request '{}'
one v1-external prometheus.WriteRequest '{cluster: lab, job: no}' cluster=lab job=no
one v2-external io.prometheus.write.v2.Request '{cluster: lab, job: no}' cluster=lab job=no
off
victoria
api
exit "$failed"
