"""The note on a merge request: made once, then updated, on whichever page it is; never somebody else's."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from payinfra.report.job_summary import marker
from tests.functional.ci.conftest import GITLAB, read

ME, SOMEBODY = 5, 6
TOKEN = "glpat-of-the-project"
NOTES = "/api/v4/projects/3/merge_requests/7/notes"


@dataclass
class GitLab:
    """As much of GitLab's API as the note needs, with two notes a page."""

    notes: list[dict[str, object]] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)

    def answer(self, method: str, url: str, body: str, token: str) -> tuple[object, str]:
        """The answer, and the number of the next page."""
        assert token == TOKEN
        parts = urlsplit(url)
        if method == "GET" and parts.path == "/api/v4/user":
            return {"id": ME}, ""
        if method == "GET" and parts.path == NOTES:
            page = int(parse_qs(parts.query)["page"][0])
            following = str(page + 1) if len(self.notes) > 2 * page else ""
            return self.notes[2 * page - 2 : 2 * page], following
        self.calls.append((method, parts.path, parse_qs(body)["body"][0]))
        return {}, ""


@pytest.fixture
def gitlab() -> Iterator[tuple[GitLab, int]]:
    fake = GitLab()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            said, following = fake.answer(self.command, self.path, body, self.headers["PRIVATE-TOKEN"])
            self.send_response(200)
            self.send_header("x-next-page", following)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def do_PUT(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_arguments: object) -> None:
            """Nothing: stderr is the test's."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield fake, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def note(id: int, author: int, body: str) -> dict[str, object]:
    return {"id": id, "author": {"id": author}, "body": body}


def write(folder: Path, port: int, environ: dict[str, str] | None = None) -> None:
    """Run the job's `after_script` as GitLab does."""
    (folder / "payinfra-summary.md").write_text(f"{marker('pr7')}\n\nIt stands.\n")
    script = "\n".join(read(GITLAB)["deploy"]["after_script"])
    assert 'payinfra/bin:$PATH"' in script
    subprocess.run(
        [
            *("bash", "-euo", "pipefail", "-c"),
            script.replace("/tmp/payinfra/bin", str(Path(sys.executable).parent)),  # noqa: S108 - a job's own
        ],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "CI_PROJECT_ID": "3",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_API_V4_URL": f"http://127.0.0.1:{port}/api/v4",
            "PAYINFRA_COMMENT_TOKEN": TOKEN,
        }
        | (environ or {}),
        check=True,
        timeout=30,
    )


def test_the_first_time_it_is_made(tmp_path: Path, gitlab: tuple[GitLab, int]) -> None:
    fake, port = gitlab
    fake.notes = [note(1, SOMEBODY, f"{marker('pr7')}\nmine"), note(2, ME, f"{marker('pr70')}\nanother")]
    write(tmp_path, port)
    assert fake.calls == [("POST", NOTES, f"{marker('pr7')}\n\nIt stands.\n")]


def test_then_it_is_updated_wherever_it_is(tmp_path: Path, gitlab: tuple[GitLab, int]) -> None:
    fake, port = gitlab
    fake.notes = [*(note(id, SOMEBODY, "talk") for id in range(4)), note(9, ME, f"{marker('pr7')}\nbefore")]
    write(tmp_path, port)
    assert [call[:2] for call in fake.calls] == [("PUT", f"{NOTES}/9")]


def test_without_a_token_nothing_is_asked(tmp_path: Path, gitlab: tuple[GitLab, int]) -> None:
    fake, port = gitlab
    write(tmp_path, port, {"PAYINFRA_COMMENT_TOKEN": ""})
    assert fake.calls == []
