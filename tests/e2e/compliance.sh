#!/usr/bin/env bash
# compliance.sh - the cases of prometheus/compliance for remote-write senders, made anew: see compliance.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/compliance.py
