#!/usr/bin/env bash
# failover.sh - endpoints that are dead, throttled and refusing in turn, under a live load; see failover.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/failover.py
