#!/usr/bin/env bash
# Resolves the dependencies anew, hashed and without the address of any index. $1 is the bin folder to use.
# requirements.lock is everything; requirements-use.lock is of it what running payinfra takes.
set -euo pipefail
resolve() {
    "$1/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options "${@:2}"
}
resolve "$1" --extra dev --extra local --extra iam --extra locust --extra terraform \
    --output-file requirements.lock pyproject.toml
# A constraint with hashes is none to pip: names and versions are.
versions=$(mktemp)
trap 'rm -f "$versions"' EXIT
sed -nE 's/^([^ ]+==[^ ]+).*/\1/p' requirements.lock >"$versions"
resolve "$1" --extra local --extra terraform --extra build --constraint "$versions" \
    --output-file requirements-use.lock pyproject.toml
