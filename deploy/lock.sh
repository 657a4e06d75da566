#!/usr/bin/env bash
# Makes requirements.lock anew from pyproject.toml: every dependency of the node, the demo and the
# development tools, pinned by version and by the hash of each of its files (wheels and sdist).
# Versions already locked are kept where they still fit; `deploy/lock.sh --upgrade` takes the newest.
# Needs network access to the package index that the machine's package client uses by default.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
LOCK_PYTHON=3.11
LOCK_PLATFORM=x86_64-manylinux_2_28

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$PYTHON" -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check uv

if [ -f requirements.lock ]; then
    cp requirements.lock "$tmp/requirements.lock"
fi
"$tmp/venv/bin/uv" pip compile pyproject.toml --all-extras \
    --python-version "$LOCK_PYTHON" --python-platform "$LOCK_PLATFORM" \
    --generate-hashes --no-header --no-annotate --no-config --quiet \
    --output-file "$tmp/requirements.lock" "$@" >"$tmp/stdout"

# Names, versions and hashes only: no address and no path of the machine that made the file.
if grep -nvE '^([a-z0-9][a-z0-9.-]*==[^ /]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?)$' "$tmp/requirements.lock" >&2; then
    echo "lock.sh: the lines above are neither name==version nor --hash; requirements.lock is left as it was" >&2
    exit 1
fi
cp "$tmp/requirements.lock" requirements.lock
echo "requirements.lock: $(grep -c '==' requirements.lock) packages"
