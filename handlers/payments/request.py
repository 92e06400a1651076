"""The request inside an API Gateway proxy event (REST API, payload version 1.0).

The event is taken as it comes: whatever is missing or null in it counts as not sent.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import problems

MAX_BODY_BYTES = 64 * 1024
_LONGEST_BASE64 = 2
"""How many characters a byte of the body takes at most, in base64 or as text, with some to spare."""
_JSON = "application/json"
_SAID = re.compile(r"[!-~]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        headers: every value of each header, by its name in lower case.
        query: every value of each parameter.
        correlation_id: the id that the gateway gave to the request.
        api_key_id, source_ip: who sent it, as the gateway says.
    """

    headers: Mapping[str, tuple[str, ...]]
    query: Mapping[str, tuple[str, ...]]
    raw_body: str
    is_base64: bool
    correlation_id: str
    api_key_id: str
    source_ip: str

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of a header. What a server on the way has joined with commas is taken apart again, so
        that it makes no difference whether a repeated header arrives as one or as several."""
        return tuple(value for joined in self.headers.get(name, ()) for value in re.split(r",[ \t]+", joined))

    def json_body(self) -> bytes:
        """The body of a request that says that it is JSON.

        Raises:
            Problem: 415 for another type or encoding, 413 for one that is too large, 400 for one that cannot
                be decoded.
        """
        declared = {_media_type(value) for value in self.values("content-type")}
        if declared != {_JSON}:
            raise problems.wrong_type()
        if {value.lower() for value in self.values("content-encoding")} - {"", "identity"}:
            raise problems.wrong_encoding()
        if len(self.raw_body) > _LONGEST_BASE64 * MAX_BODY_BYTES:
            raise problems.too_large(MAX_BODY_BYTES)
        try:
            return base64.b64decode(self.raw_body) if self.is_base64 else self.raw_body.encode("utf-8")
        except (binascii.Error, ValueError):
            raise problems.malformed("It cannot be decoded.") from None


def read(event: Mapping[str, object]) -> Request:
    """The request in an event of an API Gateway proxy integration; what is missing there is empty.

    Source: API Gateway developer guide, "Input format of a Lambda function for proxy integration".
    """
    context = event.get("requestContext")
    identity = context.get("identity") if isinstance(context, Mapping) else None
    body = event.get("body")
    return Request(
        headers=_values(event, "headers", "multiValueHeaders", fold=True),
        query=_values(event, "queryStringParameters", "multiValueQueryStringParameters", fold=False),
        raw_body=body if isinstance(body, str) else "",
        is_base64=event.get("isBase64Encoded") is True,
        correlation_id=_said(context, "requestId"),
        api_key_id=_said(identity, "apiKeyId"),
        source_ip=_said(identity, "sourceIp"),
    )


def _said(source: object, name: str) -> str:
    """A text that the gateway says, fit for metadata of S3; "unknown" where it says none."""
    said = source.get(name) if isinstance(source, Mapping) else None
    return said if isinstance(said, str) and _SAID.match(said) else "unknown"


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


def _media_type(declared: str) -> str:
    """A media type without what makes no difference to JSON; as it was declared where that does."""
    media_type, *parameters = (part.strip().lower() for part in declared.split(";"))
    harmless = all(parameter in ("", "charset=utf-8", 'charset="utf-8"') for parameter in parameters)
    return media_type if harmless else declared
