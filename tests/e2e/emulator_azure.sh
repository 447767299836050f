#!/usr/bin/env bash
# emulator_azure.sh - walship-emulator as Azure: every token source, every refusal and phase, the workspace's drops, TLS
# and the script, asked over real HTTP. What the tests of walship's identities trust is tested first.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$PWD/build/e2e/emulator_azure
rm -rf "$dir"
mkdir -p "$dir/keys" "$dir/tls"
trap stop_all EXIT

for name in cert other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -keyout "$dir/$name.key" -out "$dir/$name.pem" \
        2>"$dir/openssl.log"
done
read -r port tls_port < <(free_ports 2)
python3 tests/e2e/emulator_azure.py config "$dir" "$port" "$tls_port" >"$dir/emulator.yml"
start "$dir/emulator.log" "${WALSHIP_EMULATOR:-build/release/walship-emulator}" --config "$dir/emulator.yml"
emulator=$STARTED_PID
wait_for 60 answers "http://127.0.0.1:$port/stats" || die "the emulator did not start"
for step in tokens refusals certificate federated imds arc app_service pairs quotas workspace script tls; do
    python3 tests/e2e/emulator_azure.py "$step" "$dir" "$port" "$tls_port" || die "step $step"
done
stop "$emulator" TERM 60 || die "the emulator did not end cleanly"
python3 tests/e2e/emulator_azure.py rows "$dir" "$port" "$tls_port" || die "step rows"
echo "emulator_azure: all as expected"
