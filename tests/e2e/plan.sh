#!/usr/bin/env bash
# plan.sh - `walship plan` of the recorded WALs against figures made without it; see plan.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 tests/e2e/plan.py
