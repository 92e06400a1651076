"""The record of the requests that a test run made, and each of them as a call."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.validation import requests
from payinfra.local.server.validation.requests import ReadRequest, SentRequest, UnreadableRequest


class UnreadableLine(Exception):
    """A line of a record is no request."""


@dataclass(frozen=True)
class RecordedRequest:
    """A line of a record."""

    service: str
    region: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    asked: tuple[Mapping[str, Any], ...] = ()
    is_cut: bool = False

    @classmethod
    def of_line(cls, line: str) -> "RecordedRequest":
        """Read a line.

        Raises:
            UnreadableLine: it is none.
        """
        try:
            found: dict[str, Any] = parse_json(line)
            return cls(
                found["service"],
                found["region"],
                found["method"],
                found["path"],
                found["query"],
                found["headers"],
                base64.b64decode(found["body"]),
                found["status"],
                tuple(found["asked"]),
                found["length"] > len(found["body"]) * 3 // 4,
            )
        except (ValueError, TypeError, KeyError) as error:
            raise UnreadableLine(f"{line.strip()[:80]!r} is no request: {error!r}") from error


def read(request: RecordedRequest) -> ReadRequest:
    """Read a request as a call.

    Raises:
        UnreadableRequest: it is none.
    """
    if request.is_cut:
        raise UnreadableRequest(f"{request.method} {request.path} has more in it than the record keeps")
    sent = SentRequest(
        request.service, request.method, request.path, request.query, request.headers, request.body
    )
    return requests.read(sent)


@dataclass
class RequestRecord:
    """The record of a test run: a file for each server that ran, read one line at a time.

    Attributes:
        folder: where the files are.
        cut: how many files ended within a line, which a server that is killed leaves, once they were read.
    """

    folder: Path
    cut: int = 0

    def __iter__(self) -> Iterator[str]:
        """Every whole line."""
        self.cut = 0
        for file in sorted(self.folder.glob("*.jsonl")):
            with file.open(encoding="utf-8", errors="replace", newline="\n") as content:
                for line in content:
                    if not line.endswith("\n"):
                        self.cut += 1
                    elif line.strip():
                        yield line
