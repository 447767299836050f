#!/usr/bin/env bash
# web_config.sh - one file for both: a real Prometheus' --web.config.file and walship's web_config. For each
# client_auth_type and each client (without a certificate, with one of another CA, one that is out of date, a good one;
# with and without a user) both serve the page or both do not; promtool and `walship check` take and refuse the same files.
# `walship status` and `walship explain` ask the page by --http-config: as the user, with the certificate; without it they
# say what is missing, and no password is in what they say.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$PWD/build/e2e/web_config
walship=$PWD/build/release/walship
prometheus=$PWD/build/peers/prom3/usr/bin/prometheus
promtool=$PWD/build/peers/prom3/usr/bin/promtool
trap stop_all EXIT
failed=0 cases=0
fail() {
    echo "FAIL $*"
    failed=1
}

rm -rf "$dir"
mkdir -p "$dir/data"
tar -C "$dir/data" --zstd -xf testdata/v2.42-snappy.tar.zst
read -r port prometheus_port dead < <(free_ports 3)
cd "$dir"

# certificate NAME CA|- [OPENSSL REQ OPTION...]: NAME.pem and NAME.key; -: signed by itself. Its names are not the address.
certificate() {
    local name=$1 ca=$2
    shift 2
    openssl req -newkey rsa:2048 -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" >/dev/null 2>&1
    if [ "$ca" = - ]; then
        openssl x509 -req -in "$name.csr" -signkey "$name.key" -out "$name.pem" -days 2 "$@" >/dev/null 2>&1
    else
        openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial -out "$name.pem" "$@" >/dev/null 2>&1
    fi
}
certificate server -
certificate ca -
certificate other -
certificate good ca -days 2
certificate stranger other -days 2
certificate late ca -days -1
# shellcheck disable=SC2016 # no variables
hash='$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
password='U*U'

cat >walship.yml <<YAML
wal_dir: $dir/data/wal
state_dir: $dir/state
listen_address: 127.0.0.1:$port
web_config: web.yml
remote_write: [{name: there, url: "http://127.0.0.1:$dead/write"}]
YAML
printf 'scrape_configs: []\n' >prometheus.yml

# ---- the same files are taken and refused

# file TAKEN|REFUSED|STRICTER TEXT: by both; STRICTER: Prometheus takes it, walship tells what it lacks
file() {
    local wanted=$1 theirs=REFUSED ours=REFUSED
    printf '%s\n' "$2" >web.yml
    cases=$((cases + 1))
    ! "$promtool" check web-config web.yml >promtool.log 2>&1 || theirs=TAKEN
    ! "$walship" check --config walship.yml >check.log 2>&1 || ours=TAKEN
    [ "$wanted" != STRICTER ] || [ "$theirs $ours" != "TAKEN REFUSED" ] || return 0
    [ "$theirs $ours" = "$wanted $wanted" ] || fail "promtool $theirs, walship $ours: $2: $(cat promtool.log check.log)"
}
pair='cert_file: server.pem, key_file: server.key'
file TAKEN 'tls_server_config: {'"$pair"'}'
file TAKEN '{}'
file TAKEN "basic_auth_users: {reader: $hash}"
file TAKEN 'tls_server_config: {'"$pair"', min_version: TLS13}'
file TAKEN 'tls_server_config: {'"$pair"', client_ca_file: ca.pem, client_auth_type: RequestClientCert}'
file TAKEN 'tls_server_config: {'"$pair"', client_auth_type: RequireAnyClientCert}'
# Prometheus would verify by the system's CAs: anybody's certificate of a public one
file STRICTER 'tls_server_config: {'"$pair"', client_auth_type: RequireAndVerifyClientCert}'
file REFUSED 'tls_server_config: {'"$pair"', client_ca_file: ca.pem}'
file REFUSED 'tls_server_config: {'"$pair"', client_auth_type: Sometimes}'
file REFUSED 'tls_server_config: {'"$pair"', min_version: TLS9}'
file REFUSED 'tls_server_config: {cert_file: server.pem}'
file REFUSED 'tls_server_config: {key_file: server.key}'
file REFUSED 'tls_server_config: {cert_file: none.pem, key_file: server.key}'
file REFUSED 'tls_server_config: {cert_file: server.pem, key_file: other.key}'
file REFUSED 'tls_server_config: {'"$pair"', client_ca_file: none.pem, client_auth_type: RequireAndVerifyClientCert}'
file REFUSED 'tls_server_config: {'"$pair"', colour: red}'
file REFUSED 'tls_config: {'"$pair"'}'
file REFUSED 'basic_auth_users: {reader: secret}'

# ---- who is served

# it reads the file again for each connection; whether there is TLS is decided now
printf 'tls_server_config: {%s}\n' "$pair" >web.yml
start prometheus.log "$prometheus" --config.file=prometheus.yml --storage.tsdb.path=tsdb \
    --web.listen-address="127.0.0.1:$prometheus_port" --web.config.file=web.yml
# shellcheck disable=SC2317 # wait_for runs them
listens() { (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; }
# shellcheck disable=SC2317
answers() { curl -sSf -m 10 --noproxy '*' --cacert server.pem --connect-to "server:$1:127.0.0.1:$1" -o page.txt "https://server:$1/-/ready" 2>curl.log; }
wait_for 60 answers "$prometheus_port" || die "FAIL Prometheus did not start: $dir/prometheus.log, $(cat curl.log)"

declare -A clients=([nobody]='' [stranger]='--cert stranger.pem --key stranger.key' [late]='--cert late.pem --key late.key'
    [good]='--cert good.pem --key good.key')
# served PORT CLIENT [CURL OPTION...]: whether the metrics come
served() {
    local to=$1 client=$2
    shift 2
    # shellcheck disable=SC2086 # options of their own
    [ "$(curl -sS -m 10 --noproxy '*' --cacert server.pem --connect-to "server:$to:127.0.0.1:$to" ${clients[$client]} "$@" \
        -o page.txt -w '%{http_code}' "https://server:$to/metrics" 2>curl.log)" = 200 ] && grep -q '^# TYPE' page.txt
}

# served_alike TYPE: every client, at both
served_alike() {
    local client user theirs ours all=''
    for client in nobody stranger late good; do
        for user in '' "-u reader:$password"; do
            cases=$((cases + 1)) theirs=no ours=no
            # shellcheck disable=SC2086
            ! served "$prometheus_port" "$client" $user || theirs=yes
            # shellcheck disable=SC2086
            ! served "$port" "$client" $user || ours=yes
            all="$all$theirs"
            [ "$theirs" = "$ours" ] || fail "$1, $client ${user:+as the user}: Prometheus $theirs, walship $ours: $(cat curl.log)"
        done
    done
    # as Prometheus' documentation has it: a table that could not tell anything would not be one
    [ "$all" = "$2" ] || fail "$1: Prometheus serves $all, not $2"
}

run() {
    start walship.log "$walship" run --config walship.yml
    wait_for 20 listens "$port" || die "FAIL walship did not start: $dir/walship.log"
}
while IFS='|' read -r type ca expected; do
    printf 'tls_server_config: {%s, client_auth_type: %s%s}\nbasic_auth_users: {reader: %s}\n' "$pair" "$type" \
        "${ca:+, client_ca_file: $ca}" "$hash" >web.yml
    run
    served_alike "$type${ca:+ of $ca}" "$expected"
    stop "$STARTED_PID" TERM || fail "$type: walship did not stop cleanly"
done <<TABLE
NoClientCert||noyesnoyesnoyesnoyes
RequestClientCert||noyesnoyesnoyesnoyes
RequireAnyClientCert||nononoyesnoyesnoyes
RequireAnyClientCert|ca.pem|nononoyesnoyesnoyes
VerifyClientCertIfGiven|ca.pem|noyesnononononoyes
RequireAndVerifyClientCert|ca.pem|nononononononoyes
TABLE

# ---- status and explain ask such a page

# asks COMMAND TEXT HTTP_CONFIG: its output has the text; never the password
asks() {
    local command=$1 wanted=$2
    printf '%s\n' "$3" >http.yml
    cases=$((cases + 1))
    # shellcheck disable=SC2086 # a command and its argument
    "$walship" $command --config walship.yml ${3:+--http-config http.yml} >said.txt 2>&1 || fail "$command with $3: $(cat said.txt)"
    grep -qF -- "$wanted" said.txt || fail "$command with $3 does not say '$wanted': $(head -c 600 said.txt)"
    ! grep -qF -- "$password" said.txt || fail "$command shows the password"
}
run # the last of the table: a certificate and a user
printf '%s\n' "$password" >password
user="basic_auth: {username: reader, password_file: password}"
tls="tls_config: {cert_file: good.pem, key_file: good.key}"
asks status 'answered 403: it wants a client certificate (tls_config' ''
asks status 'answered 403: it wants a client certificate' "$user"
asks status 'answered 401: web_config has users; ask as one of them by --http-config' "$tls"
asks status "https://127.0.0.1:$port/status says: {" "{$user, $tls}"
asks 'explain up' 'of this shard acked since walship started' "{$user, $tls}"
asks 'explain up' "a running walship can't be asked (https:" "$tls"
printf 'wrong\n' >password
asks status 'answered 401: the user or the password in the file of --http-config is wrong' "{$user, $tls}"
# who is slower than the second it lasts is told 401 again, and gets another second
# shellcheck disable=SC2317 # wait_for runs it
too_soon() { "$walship" status --config walship.yml --http-config http.yml 2>&1 | grep -qF 'answered 429: too soon after a wrong password'; }
cases=$((cases + 1))
wait_for 60 too_soon || fail "a wrong password at once after another is not answered 429"
asks status 'none.txt' "{basic_auth: {username: reader, password_file: none.txt}, $tls}"
asks status 'certificate' "{$user, tls_config: {ca_file: other.pem, server_name: server}}"
printf '%s\n' 'basic_auth: {user: reader}' >http.yml
if "$walship" status --config walship.yml --http-config http.yml >said.txt 2>&1; then fail "a bad --http-config is taken"; fi
grep -qF 'http.yml:1:14: unknown key "user"' said.txt || fail "a bad --http-config: $(cat said.txt)"
stop "$STARTED_PID" TERM || fail "walship did not stop cleanly"

echo "web_config: $cases cases, files, clients and questions"
exit "$failed"
