#!/usr/bin/env bash
# identity.sh - every token source of walship against the emulator's Azure, under a live load; see identity.py.
# In a mount namespace of its own, since the Arc agent's key directory is a fixed place under /var/opt.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${IDENTITY_INSIDE:-}" ] && [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
    # shellcheck disable=SC2016 # $0 is the inner shell's
    IDENTITY_INSIDE=1 exec unshare --mount bash -c 'mkdir -p /var/opt && mount -t tmpfs tmpfs /var/opt && exec "$0"' \
        "$PWD/tests/e2e/identity.sh"
fi
exec python3 tests/e2e/identity.py
