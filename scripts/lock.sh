#!/usr/bin/env bash
# Resolves the dependencies anew, hashed and without the address of any index. $1 is the bin folder to use.
set -euo pipefail
"$1/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options \
    --extra dev --extra local --extra iam --extra locust --extra terraform --output-file requirements.lock pyproject.toml
