#!/usr/bin/env bash
# examples.sh - every file in examples/ is good: configurations by `walship check` (with the paths of this machine in place of theirs),
# the manifest by its own variables, the unit by what it starts.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$PWD/build/e2e/examples
rm -rf "$dir"
mkdir -p "$dir/data/wal" "$dir/spool"
: >"$dir/data/wal/00000000"
echo 'global: {external_labels: {cluster: a}}' >"$dir/prometheus.yml"
count=0
for file in examples/*.yml; do
    sed -e "s|/var/lib/prometheus/metrics2|$dir/data|" -e "s|/var/lib/prometheus/walship-spool|$dir/spool|" -e "s|/var/lib/walship|$dir/state|" \
        -e "s|/etc/prometheus/prometheus.yml|$dir/prometheus.yml|" "$file" >"$dir/${file##*/}"
    said=$(HOSTNAME=h build/release/walship check --config "$dir/${file##*/}" 2>&1) || die "FAIL $file: $said"
    count=$((count + 1))
done
# the manifest's container: its variables make a configuration that gets as far as the identity's own variables
python3 - examples/aks-sidecar.yaml >"$dir/variables" <<'PY'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
for name, value in re.findall(r'- \{name: ([A-Z_]+), value: "?([^"}]*)"?\}', text):
    print(f"{name}={value}")
PY
mapfile -t variables <"$dir/variables"
[ "${#variables[@]}" -ge 7 ] || die "FAIL the manifest's variables were not found"
status=0
env -i "${variables[@]}" WAL_DIR="$dir/nowhere" STATE_DIR="$dir/state" LISTENING_PORT=1 AZURE_CLIENT_ID=00000000-0000-0000-0000-000000000001 \
    AZURE_TENANT_ID=00000000-0000-0000-0000-000000000002 AZURE_FEDERATED_TOKEN_FILE="$dir/token" build/release/walship run >"$dir/sidecar.log" 2>&1 || status=$?
{ [ "$status" -eq 1 ] && grep -q "data volume must be mounted" "$dir/sidecar.log"; } || die "FAIL the manifest's variables: $(cat "$dir/sidecar.log")"
grep -q '^ExecStart=/usr/local/bin/walship run --config ' examples/walship.service || die "FAIL the unit starts something else"
grep -q '^Environment=HOSTNAME=%H$' examples/walship.service || die "FAIL the unit does not set HOSTNAME, which scale-set.yml counts on"
grep -q '^Type=notify$' examples/walship.service || die "FAIL the unit does not wait for READY=1"
if command -v systemd-analyze >/dev/null 2>&1; then
    sed 's|/usr/local/bin/walship|/bin/true|' examples/walship.service >"$dir/walship.service"
    said=$(systemd-analyze verify "$dir/walship.service" 2>&1) || die "FAIL systemd-analyze: $said"
fi
echo "examples: $count configurations, a manifest and a unit"
