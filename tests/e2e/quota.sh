#!/usr/bin/env bash
# quota.sh - three pairs of 600 requests a minute and a load that one can't take; see quota.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/quota.py
