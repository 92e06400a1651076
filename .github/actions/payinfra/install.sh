#!/usr/bin/env bash
# Installs the payinfra that this file came with into the virtual environment $1, and puts it on PATH.
set -euo pipefail
venv=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../../.." && pwd)

python -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$source/requirements-use.lock"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$source"
"$venv/bin/payinfra" version
echo "$venv/bin" >>"$GITHUB_PATH"
echo "comment=$here/comment.sh" >>"$GITHUB_OUTPUT"
