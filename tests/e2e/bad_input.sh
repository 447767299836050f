#!/usr/bin/env bash
# bad_input.sh - what an operator gets wrong, and what breaks at night: each with one clear sentence, and nothing lost.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

walship=${WALSHIP:-build/release/walship}
dir=$PWD/build/e2e/bad_input
full=$dir/full
open=$(mktemp -d) # a state directory for another user: the clone may lie in a private home
cleanup() {
    stop_all
    rm -rf "$open"
    mountpoint -q "$full" && umount "$full"
}
trap cleanup EXIT
mountpoint -q "$full" && umount "$full"
rm -rf "$dir"
mkdir -p "$dir"
passed=0 failed=0

# configure NAME WAL STATE: writes $dir/NAME.yml
configure() {
    cat >"$dir/$1.yml" <<YAML
wal_dir: $2
state_dir: $3
start_at: now
listen_address: ""
remote_write: [{name: d, url: 'http://127.0.0.1:$port/write/$1'}]
YAML
}

verdict() {
    if [ "$2" = ok ]; then
        passed=$((passed + 1)) && echo "ok    $1"
    else
        failed=$((failed + 1)) && echo "FAIL  $1: $2"
    fi
}

# refused NAME EXIT TEXT COMMAND...: ends with that code, and its only message holds the text.
refused() {
    local name=$1 code=$2 text=$3 got=0
    shift 3
    timeout 30 "$@" >"$dir/out" 2>&1 || got=$?
    if [ "$got" -ne "$code" ]; then
        verdict "$name" "exit $got instead of $code: $(tail -n 1 "$dir/out")"
    elif ! grep -qF -- "$text" "$dir/out"; then
        verdict "$name" "no '$text' in: $(tail -n 1 "$dir/out")"
    else
        verdict "$name" ok
    fi
}

# arrives NAME CONFIG COUNT: a run --once succeeds and the receiver then has that many samples of it.
arrives() {
    local name=$1 config=$2 count=$3 got code=0
    timeout 60 "$walship" run --once --timeout 30s --config "$dir/$config.yml" >"$dir/out" 2>&1 || code=$?
    got=$(received "$config")
    if [ "$code" -ne 0 ]; then
        verdict "$name" "exit $code: $(tail -n 1 "$dir/out")"
    elif [ "$got" != "$count" ]; then
        verdict "$name" "$got samples arrived, not $count"
    else
        verdict "$name" ok
    fi
}

received() {
    curl -fsS --noproxy '*' "http://127.0.0.1:$port/stats" |
        python3 -c 'import json, sys; print(sum(e["samples"] for e in json.load(sys.stdin)["endpoints"] if e["name"] == sys.argv[1]))' "$1"
}

# asked NAME: the receiver has had a request
asked() {
    curl -fsS --noproxy '*' "http://127.0.0.1:$port/stats" |
        python3 -c 'import json, sys; sys.exit(not any(e["requests"] for e in json.load(sys.stdin)["endpoints"] if e["name"] == sys.argv[1]))' "$1"
}

says() { # NAME TEXT: the last output holds it
    if grep -qF -- "$2" "$dir/out"; then verdict "$1" ok; else verdict "$1" "not said: $2"; fi
}

read -r port < <(free_ports 1)
emulator_start "$port" plain lost corrupt other full readonly
mkdir -p "$dir/a" "$dir/b" "$dir/empty" "$dir/things"
tar -C "$dir/a" --zstd -xf testdata/v2.42-snappy.tar.zst
tar -C "$dir/b" --zstd -xf testdata/v2.53-zstd.tar.zst
touch "$dir/things/holiday.jpg"
samples_a=$(zstdcat testdata/v2.42-snappy.expected.txt.zst | wc -l)
samples_b=$(zstdcat testdata/v2.53-zstd.expected.txt.zst | wc -l)

# ---- usage ----
refused "no command" 2 "no command" "$walship"
refused "unknown command" 2 "unknown command" "$walship" fly
refused "no configuration" 2 "--config" "$walship" run
refused "unknown option" 2 "--frobnicate" "$walship" run --frobnicate
refused "configuration not there" 1 "$dir/none.yml" "$walship" run --config "$dir/none.yml"

# ---- configuration ----
printf 'wal_dir: /x\nstate_dir: /y\nremote_write: [{url: "127.0.0.1/write"}]\n' >"$dir/scheme.yml"
refused "URL without scheme" 1 "$dir/scheme.yml:3:" "$walship" check --config "$dir/scheme.yml"
printf 'wal_dir: /x\nstate_dir: /y\nwal_dri: /z\nremote_write: [{url: "http://127.0.0.1/write"}]\n' >"$dir/key.yml"
refused "unknown key" 1 "$dir/key.yml:3:1:" "$walship" run --config "$dir/key.yml"
printf 'wal_dir: [\n' >"$dir/yaml.yml"
refused "not YAML" 1 "$dir/yaml.yml:" "$walship" check --config "$dir/yaml.yml"

printf 'wal_dir: %s\nstate_dir: %s\nlisten_address: 192.0.2.1:9095\nremote_write: [{url: "http://127.0.0.1:%s/write/plain"}]\n' \
    "$dir/a/wal" "$dir/state.address" "$port" >"$dir/address.yml"
refused "listen_address of another machine" 1 "this machine has no such address" "$walship" run --config "$dir/address.yml"

# ---- the WAL ----
configure missing "$dir/nowhere" "$dir/state.missing"
refused "wal_dir missing" 1 "$dir/nowhere" "$walship" run --config "$dir/missing.yml"
configure things "$dir/things" "$dir/state.things"
refused "not a WAL" 1 "$dir/things" "$walship" run --config "$dir/things.yml"
mkdir -m 700 "$dir/locked"
cp -r "$dir/a/wal" "$dir/locked/"
configure locked locked/wal "$open/state"
if command -v setpriv >/dev/null; then
    chmod 777 "$open"
    refused "wal_dir unreadable" 1 "not readable" setpriv --reuid 65534 --regid 65534 --clear-groups \
        "$walship" run --config "${dir#"$PWD"/}/locked.yml" # relative, for the same reason
else
    echo "SKIP wal_dir unreadable: no setpriv"
fi

# ---- the state: start_at is now, so what arrives below arrives because the state was lost ----
configure plain "$dir/a/wal" "$dir/state.plain"
arrives "start_at now sends nothing that was there" plain 0
cp -r "$dir/state.plain" "$dir/state.lost"
cp -r "$dir/state.plain" "$dir/state.corrupt"
cp -r "$dir/state.plain" "$dir/state.newer"
cp -r "$dir/state.plain" "$dir/state.other"
cp -r "$dir/state.plain" "$dir/state.readonly"
rm -rf "$dir"/state.{lost,corrupt,other}/spool # a link may be left or not; it is no link any more
mkdir "$dir/state.lost/spool"
cp "$dir/a/wal/00000005" "$dir/state.lost/spool/1-00000005.wal" # the WAL still has what this holds

configure lost "$dir/a/wal" "$dir/state.lost"
rm -f "$dir"/state.lost/walship.db*
arrives "a deleted state file: all from the oldest segment" lost "$samples_a"
says "a deleted state file is said" "lost"

configure corrupt "$dir/a/wal" "$dir/state.corrupt"
rm -f "$dir"/state.corrupt/walship.db-*
dd if=/dev/urandom of="$dir/state.corrupt/walship.db" bs=4096 count=4 conv=notrunc status=none
arrives "a corrupt state file: all from the oldest segment" corrupt "$samples_a"
says "a corrupt state file is said" "corrupt"
if compgen -G "$dir/state.corrupt/walship.db.corrupt-*" >/dev/null; then
    verdict "it is moved aside" ok
else
    verdict "it is moved aside" "no walship.db.corrupt-*"
fi

configure newer "$dir/a/wal" "$dir/state.newer"
sqlite3 "$dir/state.newer/walship.db" "UPDATE schema_version SET version = 99"
refused "a newer schema" 1 "newer" "$walship" run --config "$dir/newer.yml"

configure other "$dir/b/wal" "$dir/state.other"
arrives "a state of another WAL: all of this one, loudly" other "$samples_b"
says "another WAL is said" "another WAL"

# ---- the state disk ----
mkdir "$full"
if mount -t tmpfs -o size=300k tmpfs "$full" 2>/dev/null; then
    configure full "$dir/a/wal" "$full/state"
    sed -i 's/start_at: now/start_at: oldest/' "$dir/full.yml"
    mkdir "$full/state"
    dd if=/dev/zero of="$full/ballast" bs=1k count=140 status=none
    # the state is there, nothing is accepted yet: what is accepted can't be saved
    curl -fsS -m 20 --noproxy '*' -X POST "http://127.0.0.1:$port/fault?endpoint=full&status=503" >/dev/null
    start "$dir/full.log" "$walship" run --config "$dir/full.yml"
    pid=$STARTED_PID
    wait_for 30 asked full || verdict "full state disk: requests come" "none came: $dir/full.log"
    dd if=/dev/zero of="$full/ballast2" bs=1k status=none 2>/dev/null || true
    curl -fsS -m 20 --noproxy '*' -X DELETE "http://127.0.0.1:$port/fault?endpoint=full" >/dev/null
    all_there() { [ "$(received full)" -ge "$samples_a" ]; }
    if wait_for 30 all_there; then verdict "full state disk: shipping goes on" ok; else verdict "full state disk: shipping goes on" "$(received full) of $samples_a"; fi
    rm -f "$full"/ballast*
    if stop "$pid" TERM; then verdict "and it stops cleanly when there is room again" ok; else verdict "and it stops cleanly when there is room again" "exit $?"; fi
    before=$(received full)
    arrives "and nothing is sent again" full "$before"
else
    echo "SKIP full state disk: no tmpfs can be mounted here"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
