"""A refusal in the words of the protocol that the call came in."""

import json
import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

from payinfra.local.server.validation.calls import AwsRefusal

Answer = tuple[int, dict[str, str], bytes]

XML_PROTOCOLS = frozenset({"iam", "route53", "sns", "sts", "monitoring", "sqs"})


def written(refusal: AwsRefusal, service: str, headers: Mapping[str, str]) -> Answer:
    """A refusal as every SDK reads its code (Smithy, "AWS protocols", the errors of each protocol)."""
    code, message, status = refusal.code, refusal.message, refusal.status
    identity = str(uuid.uuid4())
    if "cbor" in headers.get("smithy-protocol", "") or "cbor" in headers.get("content-type", ""):
        return _cbor(refusal)
    if service == "s3":
        said = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return status, {"Content-Type": "application/xml"}, said.encode()
    if service in XML_PROTOCOLS and "x-amz-target" not in headers:
        said = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{identity}</RequestId></ErrorResponse>"
        )
        return status, {"Content-Type": "text/xml"}, said.encode()
    kind = "application/json" if service in ("lambda", "apigateway") else "application/x-amz-json-1.1"
    body = json.dumps({"__type": code, "message": message, "Message": message})
    return (
        status,
        {"Content-Type": kind, "x-amzn-errortype": code, "x-amzn-query-error": f"{code};Sender"},
        body.encode(),
    )


def _cbor(refusal: AwsRefusal) -> Answer:
    """A map of two texts (RFC 8949, section 3.1)."""

    def text(value: str) -> bytes:
        raw = value.encode()
        return b"\x79" + len(raw).to_bytes(2, "big") + raw

    pairs = {"__type": refusal.code, "message": refusal.message[:10_000]}
    body = bytes([0xA0 + len(pairs)]) + b"".join(text(one) for pair in pairs.items() for one in pair)
    headers = {
        "Content-Type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "x-amzn-query-error": f"{refusal.code};Sender",
    }
    return refusal.status, headers, body
