#!/usr/bin/env bash
# outage.sh - the receivers are away while a real Prometheus deletes all of its WAL that was not sent, twice. In the end
# nothing is missing, memory stayed within its bound, and all that the spool has is links of Prometheus' two newest segments
# (the one that is being written, and the one before it, from which a repair of a torn end would be told), or without links
# a copy of the latter. Cases side by side:
#
#   link     hard links                      restart  links, walship killed in the middle
#   copy     the spool is another file system copied  the same, walship killed in the middle
#   both     links, Prometheus and walship killed in the middle (a Prometheus of their own, with the next)
#   lives    links, Prometheus killed in the middle, walship goes on
#   users    Prometheus and walship are two unprivileged users, walship can only read
#
# Blocks of 10 s make Prometheus delete its WAL each 20 s. WALSHIP_LONG=1: blocks of 1 min, and one deletion more.
# shellcheck disable=SC2317 # wait_for and trap call them
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

block=10s wait_s=150 deletions=2
rss_kb_max=65536 # of it 16 MiB for 524,288 items that wait (limits.h)
[ -z "${WALSHIP_LONG:-}" ] || block=1m wait_s=1200 deletions=3
log=$PWD/build/e2e/outage
dir=$log
top=$(mktemp -d) # the clone may lie in a private home, and other users have to get there
far=/dev/shm/walship-outage-$$
cleanup() {
    stop_all
    rm -rf "$top" "$far"
}
trap cleanup EXIT
rm -rf "$log"
mkdir -p "$log" "$far"
chmod 755 "$top"
need_prometheus_3 outage
cp "$bin/walship" "$prometheus_3" "$top/" # a user of their own can get at these

cases=(link restart copy copied both lives)
[ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null && cases+=(users) || echo "SKIP users: needs root and setpriv"
declare -A pid=() emulator=() port=() source=([both]=two [lives]=two) spool=() user=()

# as USER: the words before a command that make it that user's; none without a user.
as() { [ -z "$1" ] || echo "setpriv --reuid $1 --regid $1 --clear-groups"; }

launch_prometheus() {
    local name=$1 who=
    [ "$name" = three ] && who=65534
    # shellcheck disable=SC2046  # words
    start "$log/prometheus.$name.log" $(as "$who") "$top/prometheus" --config.file="$top/$name.yml" \
        --storage.tsdb.path="$top/$name" --web.listen-address="127.0.0.1:${port[$name]}" \
        --storage.tsdb.min-block-duration="$block" --storage.tsdb.max-block-duration="$block"
    pid[$name]=$STARTED_PID
    wait_for 60 answers "http://127.0.0.1:${port[$name]}/-/ready" || die "Prometheus did not start: $log/prometheus.$name.log"
}

launch_walship() {
    # shellcheck disable=SC2046  # words
    start "$log/$1.log" $(as "${user[$1]:-}") "$top/walship" run --config "$top/$1.walship.yml"
    pid[$1]=$STARTED_PID
}

launch_emulator() {
    start "$log/$1.emulator.log" "$bin/walship-emulator" --config "$top/$1.emulator.yml"
    emulator[$1]=$STARTED_PID
    wait_for 60 answers "http://127.0.0.1:${port[$1]}/stats" || die "an emulator did not start"
}

configure() {
    local one=$1 from=${source[$1]:-one}
    cat >"$top/$one.emulator.yml" <<YAML
listen_address: 127.0.0.1:${port[$one]}
database: $log/$one.db
commit_interval: 0
endpoints:
- {name: a, path: /write/a}
- {name: b, path: /write/b}
YAML
    cat >"$top/$one.walship.yml" <<YAML
wal_dir: $top/$from
state_dir: $top/$one
${spool[$one]:+spool_dir: ${spool[$one]}}
listen_address: ""
start_at: oldest
remote_write:
- name: $one
  queue_config: {max_backoff: 1s}
  endpoints:
  - url: http://127.0.0.1:${port[$one]}/write/a
  - url: http://127.0.0.1:${port[$one]}/write/b
YAML
}

segments() { find "$top/$1/wal" -maxdepth 1 -name '0*' -printf '%f\n' | sort; }
# gone SOURCE SEGMENT: whether Prometheus has deleted it and all before it.
gone() { [[ "$(segments "$1" | head -1)" > "$2" ]]; }
spool_of() { echo "${spool[$1]:-$top/$1/spool}"; }
spooled() { find "$(spool_of "$1")" -type f -printf '%f\n' | sort; }
# pinned CASE: how many segments only the spool has.
pinned() {
    local from=${source[$1]:-one}
    comm -23 <(spooled "$1" | sed -nE 's/^[0-9]+-([0-9]{8}).*\.(wal|copy)$/\1/p' | sort -u) <(segments "$from") | wc -l
}
# left CASE: the segments of Prometheus' of which the spool has a link, or a copy that is the same; and whatever else is in it.
left() {
    local from=$top/${source[$1]:-one}/wal file path segment
    spooled "$1" | while read -r file; do
        path=$(spool_of "$1")/$file
        segment=$(sed -nE 's/^[0-9]+-([0-9]{8})(-[0-9a-f]+-[0-9a-f]+\.copy|\.wal)$/\1/p' <<<"$file")
        case $file in
        *.wal) [ "$path" -ef "$from/$segment" ] && file=$segment ;;
        *.copy) cmp -s "$path" "$from/$segment" && file=$segment ;;
        esac
        echo "$file"
    done
}
# drained CASE: links of the two newest segments. Where links can't be made, a closed segment is copied once it waited for 5 s,
# so there may be a copy of the one before the newest.
drained() {
    local left due
    left=$(left "$1")
    due=$(segments "${source[$1]:-one}" | tail -n 2)
    case $1 in
    copy | copied | users) [ -z "$left" ] || [ "$left" = "$(head -n 1 <<<"$due")" ] ;;
    *) [ "$left" = "$due" ] ;;
    esac
}
# checkpoints SOURCE: how often Prometheus wrote one, each before it deletes segments.
checkpoints() { grep -c 'msg="WAL checkpoint complete"' "$log/prometheus.$1.log" || true; }
checkpoints_reached() { [ "$(checkpoints "$1")" -ge "$2" ]; }
rss_max() { sed -nE 's/^VmHWM:\s+([0-9]+) kB/\1/p' "/proc/$1/status"; }

spool[copy]=$far/copy spool[copied]=$far/copied
if [[ " ${cases[*]} " == *" users "* ]]; then
    source[users]=three user[users]=65533
    install -d -o 65534 -g 65534 -m 755 "$top/three"
    install -d -o 65533 -g 65533 -m 700 "$top/users"
fi
sources=(one two)
[ -z "${source[users]:-}" ] || sources+=(three)
read -ra numbers < <(free_ports $((${#cases[@]} + ${#sources[@]} + 1)))
exporter_port=${numbers[0]}
for ((i = 0; i < ${#cases[@]}; i++)); do port[${cases[i]}]=${numbers[i + 1]}; done
for ((i = 0; i < ${#sources[@]}; i++)); do port[${sources[i]}]=${numbers[i + 1 + ${#cases[@]}]}; done

start "$log/exporter.log" scripts/exporter --port "$exporter_port" --series 500 --churn 10
for name in "${sources[@]}"; do
    cat >"$top/$name.yml" <<YAML
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: exporter, static_configs: [{targets: ['127.0.0.1:$exporter_port']}]}]
YAML
    launch_prometheus "$name"
done
for one in "${cases[@]}"; do
    configure "$one"
    launch_emulator "$one"
    launch_walship "$one"
done
for one in "${cases[@]}"; do
    wait_for 60 arrived_more "${port[$one]}" 0 || die "$one: nothing arrived before the outage"
    stop "${emulator[$one]}" TERM || die "the emulator did not stop cleanly"
done

# ---- the outage ----
declare -A newest=() before=()
for name in "${sources[@]}"; do
    newest[$name]=$(segments "$name" | tail -1)
    before[$name]=$(checkpoints "$name")
done
for name in "${sources[@]}"; do
    wait_for "$wait_s" gone "$name" "${newest[$name]}" || die "Prometheus did not delete segment ${newest[$name]} of $name"
    newest[$name]=$(segments "$name" | tail -1)
done
stop "${pid[two]}" KILL || true
for one in restart copied both; do
    is_running "${pid[$one]}" || die "walship ended by itself: $log/$one.log"
    stop "${pid[$one]}" KILL || true
done
launch_prometheus two
for one in restart copied both; do launch_walship "$one"; done
for name in "${sources[@]}"; do
    wait_for "$wait_s" gone "$name" "${newest[$name]}" || die "Prometheus did not delete segment ${newest[$name]} of $name"
done
failed=0
for name in "${sources[@]}"; do
    wait_for "$wait_s" checkpoints_reached "$name" $((before[$name] + deletions)) || die "Prometheus deleted too little of $name"
    echo "Prometheus $name: $(($(checkpoints "$name") - before[$name])) deletions of its WAL during the outage"
done
for one in "${cases[@]}"; do
    count=$(pinned "$one")
    echo "$one: $count segments are in the spool alone: $(spooled "$one" | wc -l) files, $(spooled "$one" | grep -c '\.copy$' || true) copies"
    if [ "$count" -eq 0 ]; then
        echo "FAIL $one: the outage deleted nothing that was needed: this proves nothing"
        failed=1
    fi
done

# ---- they are back ----
for name in "${sources[@]}"; do stop "${pid[$name]}" TERM 60 || die "Prometheus did not stop cleanly"; done
for one in "${cases[@]}"; do launch_emulator "$one"; done
for one in "${cases[@]}"; do
    wait_for 60 drained "$one" || {
        echo "FAIL $one: the spool has $(left "$one" | tr '\n' ' ')"
        failed=1
    }
    rss_kb=$(rss_max "${pid[$one]}")
    stop "${pid[$one]}" TERM || die "walship did not stop cleanly: $log/$one.log"
    # shellcheck disable=SC2046  # words
    $(as "${user[$one]:-}") "$top/walship" run --once --timeout 60s --config "$top/$one.walship.yml" >>"$log/$one.log" 2>&1 ||
        die "walship could not drain: $log/$one.log"
    stop "${emulator[$one]}" TERM || die "the emulator did not stop cleanly"
    echo "$one: at most $rss_kb KiB of memory; in the spool: $(left "$one" | tr '\n' ' ')"
    drained "$one" || {
        echo "FAIL $one: after another start the spool has $(left "$one" | tr '\n' ' ')"
        failed=1
    }
    if [ "$rss_kb" -gt "$rss_kb_max" ]; then
        echo "FAIL $one: memory beyond $rss_kb_max KiB"
        failed=1
    fi
done
for name in "${sources[@]}"; do
    dump "$top/$name" "$log/$name.txt"
done
for one in "${cases[@]}"; do
    code=0
    scripts/reconcile --set --allow-shared --dump "$log/${source[$one]:-one}.txt" --db "$log/$one.db" >"$log/$one.reconciled" || code=$?
    echo "$one: $(tr '\n' ';' <"$log/$one.reconciled" | tr -s ' ')"
    if [ "$code" -ne 0 ]; then
        echo "FAIL $one"
        failed=1
    fi
done
exit "$failed"
