#!/usr/bin/env bash
# reload.sh - reloads under load, half of them broken: see reload.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/reload.py
