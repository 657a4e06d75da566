#!/usr/bin/env bash
# Makes the lock files again from pyproject.toml. Every package is pinned by version and by the hash of each of
# its files (wheels and sdist):
#
#   requirements.lock               the node, the demo and the development tools
#   deploy/requirements-node.lock   what one institution's node needs: a subset with the same versions
#   deploy/requirements-build.lock  what builds the wheel of Notarium itself: also a subset
#   deploy/requirements-fuzz.lock   the coverage-guided fuzzer, for `make fuzz` only: it has wheels for Linux on
#                                   x86-64 only, and `make setup` must work everywhere
#
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

# compile OUTPUT ARGUMENTS...
compile() {
    local output=$1
    shift
    "$tmp/venv/bin/uv" pip compile "$@" \
        --python-version "$LOCK_PYTHON" --python-platform "$LOCK_PLATFORM" \
        --generate-hashes --no-header --no-annotate --no-config --quiet \
        --output-file "$output" >"$tmp/stdout"
    # Names, versions and hashes only: no address and no path of the machine that made the file.
    if grep -nvE '^([a-z0-9][a-z0-9.-]*==[^ /]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?)$' "$output" >&2; then
        echo "lock.sh: the lines above are neither name==version nor --hash; nothing is changed" >&2
        exit 1
    fi
}

if [ -f requirements.lock ]; then
    cp requirements.lock "$tmp/requirements.lock"
fi
compile "$tmp/requirements.lock" pyproject.toml --all-extras "$@"
compile "$tmp/node.lock" pyproject.toml --extra node --constraint "$tmp/requirements.lock"
echo hatchling >"$tmp/build.in"
compile "$tmp/build.lock" "$tmp/build.in" --constraint "$tmp/requirements.lock"
echo 'atheris>=3' >"$tmp/fuzz.in"
compile "$tmp/fuzz.lock" "$tmp/fuzz.in"

cp "$tmp/requirements.lock" requirements.lock
cp "$tmp/node.lock" deploy/requirements-node.lock
cp "$tmp/build.lock" deploy/requirements-build.lock
cp "$tmp/fuzz.lock" deploy/requirements-fuzz.lock
for lock in requirements.lock deploy/requirements-{node,build,fuzz}.lock; do
    echo "$lock: $(grep -c '==' "$lock") packages"
done
