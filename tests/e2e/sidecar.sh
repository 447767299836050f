#!/usr/bin/env bash
# sidecar.sh - walship in the place of the Azure side car, without any file: the same environment variables against the
# emulator's IMDS and two DCE/DCR pairs; the pages on LISTENING_PORT, over plain HTTP and with a web_config; what a Prometheus
# that still sends there is told; and each sentence of a wrong environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

dir=$PWD/build/e2e/sidecar
trap stop_all EXIT
rm -rf "$dir"
mkdir -p "$dir/prometheus" "$dir/empty"
tar -C "$dir/prometheus" --zstd -xf testdata/v2.53-zstd.tar.zst
read -r emulator_port port < <(free_ports 2)
client=aaaaaaaa-0000-0000-0000-000000000001
tenant=11111111-1111-1111-1111-111111111111
dcr_a=dcr-00000000000000000000000000000001 dcr_b=dcr-00000000000000000000000000000002

url() { echo "http://127.0.0.1:$emulator_port/$1/dataCollectionRules/$2/streams/Microsoft-PrometheusMetrics/api/v1/write?api-version=2023-04-24"; }
at() { curl -sS -m 20 --noproxy '*' "$@"; }
code() { at -o /dev/null -w '%{http_code}' "$@"; }
expect() { [ "$2" = "$3" ] || die "$1: got $2, wanted $3"; }

# the environment as a deployment of the side car has it; NAME=VALUE arguments come on top
environment=(env -i PATH="$PATH" INGESTION_URL="$(url dce-a $dcr_a) $(url dce-b $dcr_b)" LISTENING_PORT="$port"
    IDENTITY_TYPE=userAssigned AZURE_CLIENT_ID="$client" CLUSTER=test CLOUD=AZUREPUBLIC WAL_DIR="$dir/prometheus/wal"
    STATE_DIR="$dir/state" START_AT=oldest AZURE_POD_IDENTITY_AUTHORITY_HOST="http://127.0.0.1:$emulator_port")
sidecar() { "${environment[@]}" "$@" "$bin/walship" run; }

# refused SENTENCE NAME=VALUE...: it ends with 1 and says so
refused() {
    local sentence=$1 status=0
    shift
    sidecar "$@" >"$dir/refused.log" 2>&1 || status=$?
    expect "exit with $*" "$status" 1
    grep -qF "$sentence" "$dir/refused.log" || die "with $*: $(cat "$dir/refused.log")"
}

cat >"$dir/emulator.yml" <<YAML
listen_address: 127.0.0.1:$emulator_port
database: $dir/received.db
commit_interval: 0
endpoints:
- {name: a, dce: dce-a, dcr: $dcr_a}
- {name: b, dce: dce-b, dcr: $dcr_b}
identities:
- {name: pod, tenant: $tenant, client_id: $client, object_id: bbbbbbbb-0000-0000-0000-000000000001, sources: [imds], roles: ['*']}
YAML
emulator_start "$emulator_port"

refused "data volume must be mounted" WAL_DIR="$dir/nowhere"
refused "IDENTITY_TYPE must be userAssigned, systemAssigned, aadApplication or workloadIdentity" IDENTITY_TYPE=someone
refused "AZURE_TENANT_ID is missing: IDENTITY_TYPE workloadIdentity needs it" IDENTITY_TYPE=workloadIdentity
refused "CLOUD must be AZUREPUBLIC" CLOUD=AZUREMOON
refused "AAD_HOST_ENDPOINT is missing: CLOUD AZURECUSTOM needs it" CLOUD=AZURECUSTOM
refused 'LISTENING_PORT must be a port from 1 to 65535, found "http"' LISTENING_PORT=http
refused "client_id is invalid" AZURE_CLIENT_ID=me
refused "no scheme" INGESTION_URL=dce-a.example.com
refused "must be UTF-8" CLUSTER=$'caf\xe9'
status=0
env -i "$bin/walship" run >"$dir/refused.log" 2>&1 || status=$?
expect "exit without INGESTION_URL" "$status" 2

chmod a-w "$dir/prometheus" "$dir/prometheus/wal" # read-only will do
sidecar_start() {
    rm -f "$dir/walship.log"
    start "$dir/walship.log" "${environment[@]}" "$@" "$bin/walship" run
}
sidecar_start
pid=$STARTED_PID
wait_for 20 answers "http://127.0.0.1:$port/health" || die "it did not start: $dir/walship.log"
wait_for 20 answers "http://127.0.0.1:$port/ready" || die "not ready: $(at "http://127.0.0.1:$port/ready")"
others=$(hostname -I 2>/dev/null | tr ' ' '\n' | grep -m1 '^[0-9.]*$' || true)
[ -z "$others" ] || expect "/ready from another address" "$(code "http://$others:$port/ready")" 200
[ -z "$others" ] || expect "/-/reload from another address" "$(code -X POST "http://$others:$port/-/reload")" 403
expect "GET /-/reload" "$(code "http://127.0.0.1:$port/-/reload")" 405
head -c 300000 /dev/urandom >"$dir/body"
expect "POST /api/v1/write" "$(code --data-binary "@$dir/body" "http://127.0.0.1:$port/api/v1/write")" 503
at -X POST -d x "http://127.0.0.1:$port/api/v1/write" | grep -q 'Remove the remote_write block' || die "it does not say what to remove"
if [ -n "${WALSHIP_LONG:-}" ]; then # the line each minute: what it counts is what the emulator was sent
    # shellcheck disable=SC2317 # wait_for runs it
    minute_said() { grep -q 'msg="Metric packets published in last 1 minute"' "$dir/walship.log"; }
    wait_for 80 minute_said || die "no line within a minute: $dir/walship.log"
    minute=$(grep 'Metric packets published' "$dir/walship.log" | head -1)
    requests=$(sqlite3 "$dir/received.db" "SELECT count(*) FROM request WHERE status / 100 = 2")
    bytes=$(sqlite3 "$dir/received.db" "SELECT sum(bytes) / count(*) FROM request WHERE status / 100 = 2")
    grep -qE "avgBytesPerRequest=$bytes avgRequestDurationInSec=0\.[0-9e-]+ failedPublishing=0 successfullyPublished=$requests\$" <<<"$minute" ||
        die "$requests requests of $bytes bytes, but: $minute"
    echo "sidecar: $minute"
fi
drained() { at "http://127.0.0.1:$port/metrics" | grep -qx 'walship_items_pending{remote_name="azure-monitor"} 0'; }
wait_for 30 drained || die "not everything was sent"
at "http://127.0.0.1:$port/metrics" >"$dir/metrics.txt"
stop "$pid" TERM || die "it did not stop cleanly"
both=$(sqlite3 "$dir/received.db" "SELECT count(DISTINCT pair) FROM sample")
expect "pairs that got samples" "$both" 2
expect "series without the cluster label" "$(sqlite3 "$dir/received.db" "SELECT count(*) FROM series WHERE labels NOT LIKE '%cluster=\"test\"%'")" 0
sent=$(sed -n 's/^walship_items_acked_total{.*} //p' "$dir/metrics.txt")
expect "samples received" "$(sqlite3 "$dir/received.db" "SELECT count(*) FROM sample")" "$sent"

# ---- web_config: TLS, and a user by bcrypt
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -subj /CN=first -days 2 \
    -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1
# shellcheck disable=SC2016
cat >"$dir/web.yml" <<'YAML'
tls_server_config: {cert_file: cert.pem, key_file: key.pem}
basic_auth_users:
  reader: $2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW
YAML
sidecar_start WEB_CONFIG="$dir/web.yml"
pid=$STARTED_PID
at_tls() { curl -sS -m 20 --noproxy '*' --cacert "$dir/cert.pem" "$@"; }
speaks_tls() { at_tls -o /dev/null "https://127.0.0.1:$port/health"; }
wait_for 20 speaks_tls || die "no TLS: $dir/walship.log"
tls_code() { at_tls -o /dev/null -w '%{http_code}' "$@"; }
expect "without a user" "$(tls_code "https://127.0.0.1:$port/health")" 401
expect "as the user" "$(tls_code -u 'reader:U*U' "https://127.0.0.1:$port/health")" 200
expect "with a wrong password" "$(tls_code -u reader:other "https://127.0.0.1:$port/health")" 401
# who is slower than the second it lasts gets 401, and another second
too_soon() { [ "$(tls_code -u reader:third "https://127.0.0.1:$port/health")" = 429 ]; }
wait_for 60 too_soon || die "a wrong password at once after another is not answered 429"
expect "as the user meanwhile" "$(tls_code -u 'reader:U*U' "https://127.0.0.1:$port/health")" 200
if at "http://127.0.0.1:$port/health" >/dev/null 2>&1; then die "plain HTTP is still answered"; fi
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/key.pem" -out "$dir/cert.pem" -subj /CN=second -days 2 \
    -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1
wait_for 60 speaks_tls || die "a renewed certificate was not taken up: $dir/walship.log"
stop "$pid" TERM || die "it did not stop cleanly"
echo "sidecar: $sent samples over two pairs, pages plain and with TLS and a user, every wrong variable named"
