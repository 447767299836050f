#!/usr/bin/env bash
# alerts.sh - the mixin's three remote-write alerts fire where they should and nowhere else: see alerts.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/alerts.py
