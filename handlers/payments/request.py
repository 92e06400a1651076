"""The request inside an API Gateway proxy event (REST API, payload version 1.0).

The event is taken as it comes: whatever is missing or null in it counts as not sent.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from . import problems


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        headers: every value of each header, by its name in lower case.
        query: every value of each parameter.
        correlation_id: the id that the gateway gave to the request.
    """

    headers: Mapping[str, tuple[str, ...]]
    query: Mapping[str, tuple[str, ...]]
    raw_body: str
    is_base64: bool
    correlation_id: str

    def json_body(self) -> bytes:
        """The body of a request that says that it is JSON.

        Raises:
            Problem: 415 for another type, 400 for one that cannot be decoded.
        """
        declared = self.headers.get("content-type", ())
        if len(set(declared)) != 1 or not _is_json(declared[0]):
            raise problems.wrong_type()
        try:
            return base64.b64decode(self.raw_body) if self.is_base64 else self.raw_body.encode("utf-8")
        except (binascii.Error, ValueError):
            raise problems.malformed("It cannot be decoded.") from None


def read(event: Mapping[str, object]) -> Request:
    context = event.get("requestContext")
    given_id = context.get("requestId") if isinstance(context, Mapping) else None
    body = event.get("body")
    return Request(
        headers=_values(event, "headers", "multiValueHeaders", fold=True),
        query=_values(event, "queryStringParameters", "multiValueQueryStringParameters", fold=False),
        raw_body=body if isinstance(body, str) else "",
        is_base64=event.get("isBase64Encoded") is True,
        correlation_id=given_id if isinstance(given_id, str) else "unknown",
    )


def _values(
    event: Mapping[str, object], single: str, multi: str, *, fold: bool
) -> dict[str, tuple[str, ...]]:
    """Both forms that the gateway sends, as one; the one with all values goes first."""
    found: dict[str, tuple[str, ...]] = {}
    several, one = event.get(multi), event.get(single)
    if isinstance(several, Mapping):
        for name, values in several.items():
            if isinstance(values, list):
                key = name.lower() if fold else name
                found[key] = found.get(key, ()) + tuple(value for value in values if isinstance(value, str))
    if isinstance(one, Mapping):
        for name, value in one.items():
            key = name.lower() if fold else name
            if isinstance(value, str) and key not in found:
                found[key] = (value,)
    return found


def _is_json(declared: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in declared.split(";"))
    return media_type == "application/json" and all(
        parameter in ("", "charset=utf-8", 'charset="utf-8"') for parameter in parameters
    )
