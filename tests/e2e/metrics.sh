#!/usr/bin/env bash
# metrics.sh - the real page of a running walship: `promtool check metrics` has nothing to say about it, though names
# and URLs are hostile, and /-/ready tells which destination can't send and why.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

dir=$PWD/build/e2e/metrics
trap stop_all EXIT
rm -rf "$dir"
mkdir -p "$dir/data"
tar -C "$dir/data" --zstd -xf testdata/v2.53-zstd.tar.zst
read -r emulator_port status_port closed_port < <(free_ports 3)
cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data/wal
state_dir: $dir/state
listen_address: 127.0.0.1:$status_port
start_at: oldest
remote_write:
- name: "good \" \\\\ {x=\"1\"} 2"
  endpoints:
  - url: http://127.0.0.1:$emulator_port/write/a
  - url: http://127.0.0.1:$emulator_port/write/b
- {name: refusing, url: "http://127.0.0.1:$emulator_port/no/such/path"}
- {name: closed, url: "http://127.0.0.1:$closed_port/write"}
YAML

page() { curl -sS -m 20 --noproxy '*' "http://127.0.0.1:$status_port$1"; }
code() { curl -sS -m 20 --noproxy '*' -o /dev/null -w '%{http_code}' "http://127.0.0.1:$status_port$1"; }
has() { page "$1" | grep -q "$2"; }
expect() { [ "$2" = "$3" ] || die "$1: got $2, wanted $3"; }

emulator_start "$emulator_port" a b
walship_start
wait_for 20 answers "http://127.0.0.1:$status_port/-/healthy" || die "walship did not start: $dir/walship.log"
wait_for 20 has /-/ready 'refusing: .*: held: ' || die "/-/ready does not name the refusing destination: $(page /-/ready)"
wait_for 20 has /-/ready 'closed: .*: backoff: ' || die "/-/ready does not name the closed destination: $(page /-/ready)"
for path in /-/ready /ready; do expect "$path" "$(code $path)" 503; done
for path in /-/healthy /health /metrics /status; do expect "$path" "$(code $path)" 200; done
expect /nothing "$(code /nothing)" 404
has /-/ready '^good' && die "/-/ready complains of the destination that works"
page /status | python3 -m json.tool >/dev/null || die "/status is not JSON"
acked() { page /metrics | grep -q '^walship_items_acked_total{remote_name="good .*} [1-9]'; }
wait_for 20 acked || die "the good destination got nothing"
page /metrics >"$dir/metrics.txt"
if [ ! -x "$promtool" ]; then
    echo "SKIP metrics: promtool could not be had"
    exit 77
fi
said=$("$promtool" check metrics <"$dir/metrics.txt" 2>&1) || die "promtool check metrics: $said"
[ -z "$said" ] || die "promtool check metrics: $said"
echo "metrics: $(grep -c '^# TYPE' "$dir/metrics.txt") metrics, promtool is content"
