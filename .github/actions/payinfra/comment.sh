#!/usr/bin/env bash
# Writes $1, a file of Markdown, as a comment on pull request $2: in place of the one it wrote before, which is
# known by its first line and by its author. Needs GH_TOKEN with `pull-requests: write`.
set -euo pipefail
file=$1 number=$2
comments=repos/$GITHUB_REPOSITORY/issues

marker=$(head -n 1 "$file")
export marker
known=$(gh api --paginate "$comments/$number/comments" --jq \
    '.[] | select(.user.login == "github-actions[bot]" and (.body | startswith(env.marker))) | .id')
known=${known%%$'\n'*}

if [ -n "$known" ]; then
    gh api --silent --method PATCH "$comments/comments/$known" --field "body=@$file"
else
    gh api --silent --method POST "$comments/$number/comments" --field "body=@$file"
fi
