#!/usr/bin/env bash
# Installs the payinfra that this file came with into the virtual environment $1, and puts it on PATH. $2 names the
# requirements.txt of a project's own packages, for its extension, checks and probes; without such a file there are none.
set -euo pipefail
venv=$1
own=${2:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../../.." && pwd)

python -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$source/requirements-use.lock"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$source"
if [ -n "$own" ] && [ -f "$own" ]; then
    # What payinfra is locked to stays. A constraint with hashes is none to pip: names and versions are.
    sed -nE 's/^([^ ]+==[^ ]+).*/\1/p' "$source/requirements-use.lock" >"$venv/constraints.txt"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --constraint "$venv/constraints.txt" -r "$own" || {
        echo "error: $own cannot be installed beside payinfra; pip says above why." >&2
        echo "next:  Ask for versions that go with $source/requirements-use.lock, which stays as it is." >&2
        exit 4
    }
fi
"$venv/bin/payinfra" version
echo "$venv/bin" >>"$GITHUB_PATH"
echo "comment=$here/comment.sh" >>"$GITHUB_OUTPUT"
