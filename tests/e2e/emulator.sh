#!/usr/bin/env bash
# emulator.sh - walship-emulator over real HTTP, and scripts/reconcile against a database with known troubles: what
# every other end-to-end test trusts is tested first.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$PWD/build/e2e/emulator
rm -rf "$dir"
mkdir -p "$dir"
trap stop_all EXIT

read -r port < <(free_ports 1)
cat >"$dir/emulator.yml" <<YAML
listen_address: 127.0.0.1:$port
database: $dir/e.db
max_body_bytes: 1MiB
endpoints:
- {name: a, path: /write/a}
- {name: b, path: /write/b}
YAML
start "$dir/emulator.log" "${WALSHIP_EMULATOR:-build/release/walship-emulator}" --config "$dir/emulator.yml"
emulator=$STARTED_PID
wait_for 60 answers "http://127.0.0.1:$port/stats" || die "the emulator did not start"
python3 tests/e2e/emulator.py http "$port"
# one request waits for its delay, of an hour, while the emulator is told to end: it ends without it, and cleanly
python3 tests/e2e/emulator.py hang "$port"
stop "$emulator" TERM 60 || die "the emulator did not end cleanly"
python3 tests/e2e/emulator.py rows "$dir/e.db"
python3 tests/e2e/emulator.py reconcile "$dir"
echo "emulator: all as expected"
