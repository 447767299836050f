#!/usr/bin/env bash
# config.sh - the same remote_write blocks to promtool and to walship: see config.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/config.py
