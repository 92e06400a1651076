"""A record of the requests that Terraform and payinfra make, for `make conformance` to judge afterwards.

Off unless the embedded AWS is started with a folder to record into. The record holds bodies: nothing but a
test run may ask for it.
"""

import base64
import json
import os
import uuid
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from payinfra.local.server.asgi import AsgiResponse, HttpRequest

BODY_MOST = 1 << 24
"""Octets of a body that are kept, which a function's zip has as well; a longer one cannot be judged."""
WHO = ("Terraform", "payinfra/")
"""What the User-Agent of those has whose requests are judged."""
KEPT_HEADERS = ("content-type", "user-agent", "x-amz-target", "smithy-protocol")

asked: ContextVar[list[dict[str, Any]] | None] = ContextVar("payinfra_asked", default=None)
"""What IAM was asked about the current request: action, resource with its tags, context, caller."""


class RequestRecorder:
    """Writes to a file of its own in a folder, one JSON object a line.

    The file is opened once. A server that is left of an earlier test run goes on with its own file, also when
    that was removed, and so adds nothing to the record of a later run.
    """

    def __init__(self, folder: Path) -> None:
        """Make the file, and the folder where there is none.

        Raises:
            OSError: neither can be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{uuid.uuid4().hex}.jsonl"
        self._file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def begin(self, request: HttpRequest) -> None:
        """Begin a request: what IAM is asked from now on is this one's."""
        asked.set([] if self._is_judged(request) else None)

    def record(self, request: HttpRequest, response: AsgiResponse, service: str, region: str) -> None:
        """Write one request with what IAM was asked, if it is one to judge."""
        if not self._is_judged(request):
            return
        line = {
            "service": service,
            "region": region,
            "method": request.method,
            "path": request.raw_path,
            "query": request.query_string,
            "headers": {
                name: value
                for name, value in request.headers
                if name in KEPT_HEADERS or name.startswith("x-amz-")
                if name not in ("x-amz-security-token", "x-amz-content-sha256", "x-amz-date")
            },
            "body": base64.b64encode(request.body[:BODY_MOST]).decode(),
            "length": len(request.body),
            "status": response.status,
            "asked": asked.get() or [],
        }
        left = memoryview(f"{json.dumps(line, default=str)}\n".encode())
        while left:
            left = left[os.write(self._file, left) :]

    @staticmethod
    def _is_judged(request: HttpRequest) -> bool:
        agent = request.header("user-agent")
        return any(who in agent for who in WHO)
