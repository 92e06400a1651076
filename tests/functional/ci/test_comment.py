"""The comment on a pull request: made once, then updated, and never somebody else's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from payinfra.report.job_summary import marker
from tests.functional.ci.conftest import ACTION

# A `gh` that knows the two calls: it lists what $KNOWN holds, two a page, and notes the rest.
GH = """#!{python}
import json, os, pathlib, sys

given = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    print(*given, file=calls)
if "--paginate" in given:
    known = json.loads(pathlib.Path(os.environ["KNOWN"]).read_text())
    for page in range(0, max(len(known), 1), 2):
        print(json.dumps(known[page : page + 2]), end="")
if "--field" in given:
    body = given[given.index("--field") + 1].removeprefix("body=@")
    pathlib.Path(os.environ["BODY"]).write_text(pathlib.Path(body).read_text())
"""


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    path = tmp_path / "summary.md"
    path.write_text(f"{marker('pr7')}\n\nIt stands: $(touch pwned) `x`\n")
    return path


def comment(tmp_path: Path, summary: Path, known: list[dict[str, object]]) -> list[str]:
    """Run the script among comments that are there already; the calls that it made."""
    gh = tmp_path / "gh"
    gh.write_text(GH.format(python=sys.executable))
    gh.chmod(0o755)
    (tmp_path / "known.json").write_text(json.dumps(known))
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "GITHUB_REPOSITORY": "example/backend",
        "CALLS": str(tmp_path / "calls"),
        "KNOWN": str(tmp_path / "known.json"),
        "BODY": str(tmp_path / "body"),
    }
    subprocess.run(
        ["bash", ACTION / "comment.sh", summary, "7"], env=environ, cwd=tmp_path, check=True, timeout=30
    )
    return (tmp_path / "calls").read_text().splitlines()


def a_comment(id: int, author: str, body: str) -> dict[str, object]:
    return {"id": id, "user": {"login": author}, "body": body}


def test_the_first_time_it_is_made(tmp_path: Path, summary: Path) -> None:
    others = [
        a_comment(1, "somebody", f"{marker('pr7')}\nmine"),
        a_comment(2, "github-actions[bot]", f"{marker('pr70')}\nanother environment"),
        a_comment(3, "github-actions[bot]", "another tool"),
    ]
    calls = comment(tmp_path, summary, others)
    assert "POST repos/example/backend/issues/7/comments" in calls[-1]
    assert (tmp_path / "body").read_text() == summary.read_text()
    assert not (tmp_path / "pwned").exists()


def test_then_it_is_updated_in_place(tmp_path: Path, summary: Path) -> None:
    talk = [a_comment(id, "somebody", "talk") for id in range(3)]
    before = [a_comment(id, "github-actions[bot]", f"{marker('pr7')}\nbefore") for id in (11, 12)]
    calls = comment(tmp_path, summary, [*talk, *before])
    assert "PATCH repos/example/backend/issues/comments/11 " in calls[-1]
    assert len(calls) == 2


def test_among_no_comments_it_is_made(tmp_path: Path, summary: Path) -> None:
    assert "POST" in comment(tmp_path, summary, [])[-1]
