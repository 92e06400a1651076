#!/usr/bin/env bash
# Writes $1, a file of Markdown, as a comment on pull request $2: in place of the one it wrote before, which is
# known by its first line and by its author. Needs GH_TOKEN with `pull-requests: write`.
set -euo pipefail
file=$1 number=$2
comments=repos/$GITHUB_REPOSITORY/issues

# Pages come one after the other, each an array of its own.
find_mine='
import json, sys
marker, rest = sys.argv[1], sys.stdin.read().strip()
while rest:
    page, end = json.JSONDecoder().raw_decode(rest)
    rest = rest[end:].lstrip()
    for one in page:
        if one["user"]["login"] == "github-actions[bot]" and one["body"].startswith(marker):
            sys.exit(print(one["id"]))
'
known=$(gh api --paginate "$comments/$number/comments" | python3 -c "$find_mine" "$(head -n 1 "$file")")

if [ -n "$known" ]; then
    gh api --silent --method PATCH "$comments/comments/$known" --field "body=@$file"
else
    gh api --silent --method POST "$comments/$number/comments" --field "body=@$file"
fi
