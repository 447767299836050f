#!/usr/bin/env bash
# explain.sh - `walship explain` of a recorded WAL, one of three endpoints dead. Without a daemon: labels, shards and homes only.
# With one: series of the dead endpoint are shown as lent, and for each series the endpoint that is named is the one at which the
# emulator has its last sample; what a rule drops arrived nowhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

dir=$PWD/build/e2e/explain
rm -rf "$dir"
mkdir -p "$dir/data"
trap stop_all EXIT
tar -C "$dir/data" --zstd -xf testdata/v2.42-snappy.tar.zst
read -r port dead status < <(free_ports 3)
cat >"$dir/walship.yml" <<YAML
wal_dir: $dir/data/wal
state_dir: $dir/state
listen_address: 127.0.0.1:$status
start_at: oldest
external_labels: {cluster: "x\"y"}
remote_write:
- name: azure
  endpoints:
  - url: http://127.0.0.1:$port/write/a
  - url: http://127.0.0.1:$port/write/b
  - url: http://127.0.0.1:$dead/write/dead
  write_relabel_configs:
  - {source_labels: [__name__], regex: up, action: drop}
YAML

explain() { "$bin/walship" explain --config "$dir/walship.yml" "$@"; }
# shellcheck disable=SC2317 # wait_for runs it
drained() {
    curl -fsS -m 2 --noproxy '*' "http://127.0.0.1:$status/metrics" >"$dir/metrics.txt" &&
        grep -q '^walship_items_pending{.*} 0$' "$dir/metrics.txt" &&
        explain --json '{__name__!="up"}' >"$dir/live.json" && grep -q '"why":"lent, since' "$dir/live.json"
}

explain --json '{__name__!="up"}' >"$dir/offline.json" || die "explain without a daemon failed"
emulator_start "$port" a b
walship_start
wait_for 20 drained || die "not all was sent, or nothing is shown as lent: $dir/live.json"
explain --json '{__name__!="up"}' >"$dir/live.json"
explain --json up >"$dir/up.json"
explain '{__name__!="up"}' >"$dir/live.txt"
walship_stop
grep -q "now at http://127.0.0.1:$port/write/[ab]: lent, since http://127.0.0.1:$dead/write/dead is down (" "$dir/live.txt" ||
    die "the text does not say what is lent, and why: $dir/live.txt"

python3 - "$dir" "http://127.0.0.1:$port/write/" "http://127.0.0.1:$dead/write/dead" <<'PY'
import json, sqlite3, sys
top, alive, dead = sys.argv[1:]
read = lambda name: json.load(open(f"{top}/{name}.json"))
offline, live, up = read("offline"), read("live"), read("up")
db = sqlite3.connect(f"{top}/received.db")
last = {}
for labels, pair, t in db.execute("select s.labels, p.name, a.t from sample a join series s on s.id = a.series"
                                  " join pair p on p.id = a.pair order by a.arrival"):
    last[labels] = (pair, t, max(t, last.get(labels, (0, 0, t))[2]))
newest = max(row[2] for row in last.values())
wrong, lent, home, met = [], 0, 0, 0


def expect(good, *why):
    if not good:
        wrong.append(why)


expect("live_error" in offline and "live_error" not in live, "who answers")
expect(len(live["series"]) == 100 and live["more"] > 0 and live["more"] == offline["more"], "100 are shown")
for was, now in zip(offline["series"], live["series"]):
    (before,), (after,) = was["destinations"], now["destinations"]
    expect(all(before[k] == after[k] for k in ("name", "end", "labels", "shard", "home")), "without a daemon", was, now)
    expect("endpoint" not in before, "an endpoint nobody told", was)
    expect('cluster="x\\"y"' in after["labels"] and "cluster" not in now["labels"], "final labels", now)
    is_lent = after["home"] == dead
    lent, home = lent + is_lent, home + (not is_lent)
    expect(after["why"].startswith("lent, since " + dead) if is_lent else after["why"] == "at home", "why", now)
    expect((after["endpoint"] != after["home"]) == is_lent, "endpoint", now)
    if after["labels"] in last:
        met += 1
        pair, _, t = last[after["labels"]]
        expect(after["endpoint"] == alive + pair, "the arrival table has it at", pair, now)
        expect(t <= after.get("shard_acked_ms", -1) <= newest, "acked up to", t, now)
expect(met >= 50 and lent >= 10 and home >= 10, "too few to tell", met, lent, home)
expect(len(up["series"]) > 0 and all(d["end"] == "dropped by rule" for s in up["series"] for d in s["destinations"]), "up", up)
expect(not any('__name__="up"' in labels for labels in last), "up arrived")
for one in wrong[:10]:
    print("FAIL", *one)
print(f"{met} series found where they were said to be, {lent} of 100 lent")
sys.exit(1 if wrong else 0)
PY
