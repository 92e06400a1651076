"""Which route a proxy event asks for, the gateway's form of an answer, and the headers for pages of others.

Four routes do not need a framework: Powertools' event handler takes a third of the time that a cold start's
import takes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

METHODS: Mapping[str, tuple[str, ...]] = {
    "/payments": ("GET", "POST"),
    "/payments/{payment_id}": ("GET",),
    "/health": ("GET",),
    "/evacuation": ("GET",),
}
"""The routes, each with the methods that it knows."""
_ONE = re.compile(r"/payments/([^/]+)\Z")
_MAX_AGE_S = 600


@dataclass(frozen=True, slots=True)
class Asked:
    """What an event asks for.

    Attributes:
        method: the HTTP method.
        route: a key of `METHODS`; None where there is none.
        payment_id: the parameter of the path, "" where the route has none.
        origin: the page that asks, if a browser says so.
    """

    method: str
    route: str | None
    payment_id: str = ""
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; the body is JSON, or nothing."""

    status: int
    media_type: str = ""
    document: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origins:
    """The pages that may call the API (Fetch standard, "CORS protocol").

    Attributes:
        allowed: their origins; none for those of the API's own.
        exposed: the headers of answers that such a page may read.
        accepted: the headers that it may send.
    """

    allowed: tuple[str, ...]
    exposed: tuple[str, ...]
    accepted: tuple[str, ...]

    def preflight(self, asked: Asked) -> Answer | None:
        """The answer to a preflight; None where pages of others may not call, or nothing asks."""
        if asked.method != "OPTIONS" or not self.allowed:
            return None
        methods = sorted({"OPTIONS", *(METHODS.get(asked.route or "", ("GET", "POST")))})
        headers = {
            "Access-Control-Allow-Methods": ",".join(methods),
            "Access-Control-Allow-Headers": ",".join(self.accepted),
            "Access-Control-Max-Age": str(_MAX_AGE_S),
        }
        return Answer(204, headers=headers)

    def headers(self, asked: Asked) -> Mapping[str, str]:
        """What an answer says to the page that asked."""
        if not self.allowed:
            return {}
        varies = {"Vary": "Origin"}
        if asked.origin not in self.allowed:
            return varies
        return {
            **varies,
            "Access-Control-Allow-Origin": asked.origin or "",
            "Access-Control-Expose-Headers": ",".join(self.exposed),
        }


def route(event: Mapping[str, object], origin: str | None) -> Asked:
    """What an event asks for.

    Raises:
        KeyError: it is no event of the gateway.
    """
    method, path = str(event["httpMethod"]), str(event["path"])
    one = _ONE.match(path)
    if one is not None:
        return Asked(method, "/payments/{payment_id}", one.group(1), origin)
    return Asked(method, path if path in METHODS else None, origin=origin)


def render(answer: Answer, headers: Mapping[str, str]) -> dict[str, object]:
    """The gateway's form of an answer."""
    several = {**answer.headers, **headers}
    if answer.media_type:
        several["Content-Type"] = answer.media_type
    return {
        "statusCode": answer.status,
        "multiValueHeaders": {name: [value] for name, value in several.items()},
        "body": "" if answer.document is None else json.dumps(answer.document),
        "isBase64Encoded": False,
    }
