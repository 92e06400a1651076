"""A call that Terraform's SDK sends again is the same call: who lost its answer gets that answer.

Calls such as AddPermission and CreateAlias refuse to be made twice. On a loaded machine an answer from the
embedded AWS may be lost, the SDK then tries again, and what was made would be nobody's: in no state, and in
the way of every later deployment. Only Terraform is helped: a payment's retry must meet what it meets on
AWS.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from payinfra.local.server.asgi import AsgiResponse, HttpRequest

KEPT = 1024
"""How many calls are remembered. An SDK gives up long before so many others are made."""

_CALL = "amz-sdk-invocation-id"
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)")
_ATTEMPT = re.compile(r"attempt=(\d+)")


@dataclass
class Retries:
    """Remembers the calls that Terraform made last, by caller. Used on the server's event loop only."""

    _calls: OrderedDict[tuple[str, str], asyncio.Task[AsgiResponse]] = field(default_factory=OrderedDict)

    async def once(self, request: HttpRequest, work: Callable[[], Awaitable[AsgiResponse]]) -> AsgiResponse:
        """The answer of the first attempt where that was not an error, else what `work` answers now."""
        call = _caller(request), request.header(_CALL)
        if (
            not call[1]
            or request.method in ("GET", "HEAD")
            or "Terraform" not in request.header("user-agent")
        ):
            return await work()
        earlier = self._calls.get(call) if _is_retry(request) else None
        if earlier is not None:
            answered = await asyncio.shield(earlier)
            if answered.status < 400:
                return answered

        async def answer() -> AsgiResponse:
            return await work()

        # A task of its own: who hangs up must not leave the work half done.
        task = asyncio.create_task(answer())
        self._calls[call] = task
        while len(self._calls) > KEPT:
            self._calls.popitem(last=False)
        return await asyncio.shield(task)


def _caller(request: HttpRequest) -> str:
    """Whose call it is: nobody may be given the answer to somebody else's, whatever number the call has."""
    found = _CREDENTIAL.search(request.header("authorization"))
    return found[1] if found else ""


def _is_retry(request: HttpRequest) -> bool:
    found = _ATTEMPT.search(request.header("amz-sdk-request"))
    return found is not None and int(found[1]) > 1
