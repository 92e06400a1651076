"""Signature Version 4, checked: who signed a request, and whether the signature is true.

The canonical request is botocore's own, computed anew from what arrived (IAM user guide, "Create a signed AWS
API request"; Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)").
"""

import contextlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from payinfra.local.server.asgi import HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW_S: Final = 5 * 60
"""How far a request's time may be from now (IAM user guide, "AWS Signature Version 4 for API requests")."""

LONG_SKEW_S: Final = 15 * 60
"""The same for services that allow more (Amazon S3 API reference, "RequestTimeTooSkewed")."""

LONG_SKEW: Final = frozenset({"dynamodb", "iam", "s3", "sns", "sqs", "sts"})

LONGEST_PRESIGNED_S: Final = 7 * 24 * 3600

_QUERY: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_EXPIRES: Final = "X-Amz-Expires"
_TOKEN: Final = "X-Amz-Security-Token"  # noqa: S105 - the parameter's name, not a token
_OF_SIGNATURES: Final = frozenset(
    name.lower() for name in (*_QUERY, _EXPIRES, _TOKEN, "AWSAccessKeyId", "Signature")
)
_TIMESTAMP: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_CHUNKS: Final = f"STREAMING-{ALGORITHM}-PAYLOAD"
_CHUNKS_AND_TRAILER: Final = f"{_CHUNKS}-TRAILER"
_TRAILER_UNSIGNED: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_EMPTY: Final = sha256(b"").hexdigest()
_CHUNK: Final = re.compile(rb"([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})\r\n")


class SignatureRefused(Exception):
    """A request is not known to be its caller's.

    Args:
        code: what is wrong; each service of AWS has a code and a status of its own for it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class SignatureClaim:
    """What a request says about who signed it. Nothing of it is true before `check`.

    Attributes:
        at: when it was signed.
        timestamp: the same, as it was signed.
        token: of temporary credentials; empty for lasting ones.
        expires_s: how long a presigned request is good for; None where it does not say so.
        presigned: whether the signature is in the query.
    """

    access_key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    at: datetime
    timestamp: str
    token: str
    expires_s: int | None
    presigned: bool


def is_signed(request: HttpRequest) -> bool:
    """Whether a request carries any AWS credentials, in a header or in its query."""
    return bool(request.header("authorization")) or any(
        name.lower() in _OF_SIGNATURES for name in request.query
    )


def claim_of(request: HttpRequest) -> SignatureClaim:
    """What the request says about who signed it.

    Raises:
        SignatureRefused: it says nothing, too little, or two things at once.
    """
    pairs = parse_qsl(request.query_string, keep_blank_values=True)
    in_query = [(name, value) for name, value in pairs if name.lower() in _OF_SIGNATURES]
    authorizations = [value for name, value in request.headers if name == "authorization"]
    if not authorizations and not in_query:
        raise SignatureRefused("MissingAuthenticationToken", "The request carries no AWS credentials.")
    if len(authorizations) + bool(in_query) > 1:
        raise _incomplete("there is more than one signature")
    if authorizations:
        return _in_header(request, authorizations[0])
    given = dict(in_query)
    if len(given) != len(in_query):
        raise _incomplete("a parameter of the signature is given twice")
    return _in_query(given)


def _in_header(request: HttpRequest, authorization: str) -> SignatureClaim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm == "AWS":
        raise _outdated()
    parts = [part.strip().partition("=") for part in rest.split(",")]
    fields = {name: value for name, _, value in parts}
    if (
        algorithm != ALGORITHM
        or len(parts) != 3
        or fields.keys() != {"Credential", "SignedHeaders", "Signature"}
    ):
        raise _incomplete(
            "the Authorization header is not Credential, SignedHeaders and Signature after " + ALGORITHM
        )
    return _claim(
        fields["Credential"],
        request.header("x-amz-date"),
        fields["SignedHeaders"],
        fields["Signature"],
        token=request.header(_TOKEN.lower()),
        expires_s=None,
        presigned=False,
    )


def _in_query(given: dict[str, str]) -> SignatureClaim:
    if "AWSAccessKeyId" in given:
        raise _outdated()
    if missing := [name for name in _QUERY if not given.get(name)]:
        raise _incomplete(f"the query lacks {', '.join(missing)}")
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise _incomplete(f"X-Amz-Algorithm is not {ALGORITHM}")
    lasts = given.get(_EXPIRES)
    if lasts is not None and not (re.fullmatch(r"\d{1,6}", lasts) and 1 <= int(lasts) <= LONGEST_PRESIGNED_S):
        raise _incomplete(f"{_EXPIRES} is not a number of seconds up to {LONGEST_PRESIGNED_S}")
    return _claim(
        given["X-Amz-Credential"],
        given["X-Amz-Date"],
        given["X-Amz-SignedHeaders"],
        given["X-Amz-Signature"],
        token=given.get(_TOKEN, ""),
        expires_s=None if lasts is None else int(lasts),
        presigned=True,
    )


def _claim(
    credential: str,
    timestamp: str,
    signed_headers: str,
    signature: str,
    *,
    token: str,
    expires_s: int | None,
    presigned: bool,
) -> SignatureClaim:
    scope = credential.split("/")
    if len(scope) != 5 or scope[4] != "aws4_request" or not all(scope):
        raise _incomplete("the credential is not key/date/region/service/aws4_request")
    access_key_id, day, region, service, _ = scope
    at = _time(timestamp)
    if day != timestamp[:8]:
        raise SignatureRefused("CredentialDateMismatch", "The credential's date is not that of the request.")
    names = tuple(signed_headers.split(";"))
    return SignatureClaim(
        access_key_id, region, service, names, signature, at, timestamp, token, expires_s, presigned
    )


def _time(timestamp: str) -> datetime:
    if _TIMESTAMP.fullmatch(timestamp):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(timestamp)
    raise _incomplete("X-Amz-Date is not a time such as 20260131T235959Z")


def check(request: HttpRequest, claim: SignatureClaim, secret: str, now: datetime) -> None:
    """Hold a request against the signature that it carries.

    Args:
        claim: what `claim_of` found in this request.
        secret: the secret access key that belongs to the claim's access key.

    Raises:
        SignatureRefused: the signature is not that of this request with this secret, or its time is over.
    """
    _check_time(claim, now)
    _check_headers(request, claim)
    payload = _payload_hash(request, claim)
    signer = _signer(claim, secret, payload)
    path = request.raw_path
    if not path.startswith("/") or "#" in path:
        raise _mismatch()
    to_sign = AWSRequest(method=request.method, url=f"http://{request.header('host')}{path}")
    # A list, which botocore takes too: a name may come several times.
    parameters: Any = [
        (name, value)
        for name, value in parse_qsl(request.query_string, keep_blank_values=True)
        if name != "X-Amz-Signature"
    ]
    to_sign.params = parameters
    to_sign.headers = _signed(request, claim)
    to_sign.context["timestamp"] = claim.timestamp
    canonical = signer.canonical_request(to_sign)
    computed = signer.signature(signer.string_to_sign(to_sign, canonical), to_sign)
    if not hmac.compare_digest(computed.encode(), claim.signature.encode()):
        raise _mismatch()
    if payload in (_CHUNKS, _CHUNKS_AND_TRAILER):
        _check_chunks(request.body, claim, signer.key, trailer=payload == _CHUNKS_AND_TRAILER)


def _check_time(claim: SignatureClaim, now: datetime) -> None:
    age = (now - claim.at).total_seconds()
    skew = LONG_SKEW_S if claim.service in LONG_SKEW else SKEW_S
    if -skew <= age <= (skew if claim.expires_s is None else claim.expires_s):
        return
    code = "RequestTimeTooSkewed" if claim.expires_s is None or age < 0 else "RequestExpired"
    raise SignatureRefused(
        code, f"The request was signed at {claim.timestamp}, too far from now, {now:%Y%m%dT%H%M%SZ}."
    )


def _check_headers(request: HttpRequest, claim: SignatureClaim) -> None:
    present = {name for name, _ in request.headers}
    needed = {name for name in present if name.startswith("x-amz-")} | {"host"}
    unsigned, absent = needed - set(claim.signed_headers), set(claim.signed_headers) - present
    if unsigned or absent:
        raise SignatureRefused(
            "SignatureDoesNotMatch",
            f"Headers not signed: {', '.join(sorted(unsigned)) or 'none'}; "
            f"signed and not sent: {', '.join(sorted(absent)) or 'none'}.",
        )


def _payload_hash(request: HttpRequest, claim: SignatureClaim) -> str:
    """What stands for the body in the signature. Only S3 lets it be something else than the body's hash."""
    said = request.header("x-amz-content-sha256")
    if claim.service == "s3":
        if claim.presigned and not said:
            return _UNSIGNED
        if said in (_UNSIGNED, _CHUNKS, _CHUNKS_AND_TRAILER, _TRAILER_UNSIGNED):
            return said
    actual = sha256(request.body).hexdigest() if request.body else _EMPTY
    if said and said != actual:
        raise SignatureRefused(
            "XAmzContentSHA256Mismatch" if claim.service == "s3" else "SignatureDoesNotMatch",
            "The body is not the one that x-amz-content-sha256 was computed for.",
        )
    return actual


def _signed(request: HttpRequest, claim: SignatureClaim) -> HTTPHeaders:
    headers = HTTPHeaders()
    for name, value in request.headers:
        if name in claim.signed_headers:
            headers[name] = _as_utf8(value)
    return headers


def _as_utf8(value: str) -> str:
    """A header's value as it was signed: HTTP carries bytes, and signers take them for UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


@lru_cache(maxsize=256)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key


class _Checker(SigV4Auth):
    """botocore's signer, told which headers a caller signed and what stands for the body."""

    payload_hash: str
    key: bytes

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        headers: HTTPHeaders = request.headers
        return headers

    def payload(self, request: AWSRequest) -> str:
        del request
        return self.payload_hash

    def signature(self, string_to_sign: str, request: AWSRequest) -> str:
        del request
        return hmac.new(self.key, string_to_sign.encode(), sha256).hexdigest()


class _S3Checker(_Checker, S3SigV4Auth):
    """The same for S3, which signs a path as it is."""


def _signer(claim: SignatureClaim, secret: str, payload_hash: str) -> Any:
    kind = _S3Checker if claim.service == "s3" else _Checker
    made = kind(Credentials(claim.access_key_id, secret), claim.service, claim.region)
    made.payload_hash = payload_hash
    made.key = _signing_key(secret, claim.timestamp[:8], claim.region, claim.service)
    return made


def _check_chunks(body: bytes, claim: SignatureClaim, key: bytes, *, trailer: bool) -> None:
    """Each chunk of an aws-chunked body is signed, beginning from the request's own signature.

    Amazon S3 API reference, "Transferring Payload in Multiple Chunks (Chunked Upload)".
    """
    scope = "/".join((claim.timestamp[:8], claim.region, claim.service, "aws4_request"))
    previous = claim.signature

    def check_next(kind: str, given: bytes, *hashes: str) -> None:
        nonlocal previous
        text = "\n".join((f"{ALGORITHM}-{kind}", claim.timestamp, scope, previous, *hashes))
        previous = hmac.new(key, text.encode(), sha256).hexdigest()
        if not hmac.compare_digest(previous.encode(), given):
            raise _mismatch()

    begin, size = 0, -1
    while size != 0:
        found = _CHUNK.match(body, begin)
        if found is None:
            raise _mismatch()
        size = int(found[1], 16)
        data = body[found.end() : found.end() + size]
        check_next("PAYLOAD", found[2], _EMPTY, sha256(data).hexdigest())
        begin = found.end() + size + len(b"\r\n") * bool(size)
    if trailer:
        lines, _, signature = body[begin:].partition(b"x-amz-trailer-signature:")
        check_next("TRAILER", signature.strip(), sha256(lines.replace(b"\r\n", b"\n")).hexdigest())


def _incomplete(why: str) -> SignatureRefused:
    return SignatureRefused("IncompleteSignature", f"The request's signature cannot be read: {why}.")


def _outdated() -> SignatureRefused:
    """AWS: buckets made since June 2020 take no version 2 (AWS News Blog, "Amazon S3 Update - SigV2
    Deprecation Period Extended & Modified"). boto3 presigns so unless `signature_version` is "s3v4"."""
    return SignatureRefused(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )


def _mismatch() -> SignatureRefused:
    return SignatureRefused(
        "SignatureDoesNotMatch",
        "The signature is not that of this request with the secret access key. "
        "`payinfra local env` prints the key of this embedded AWS.",
    )
