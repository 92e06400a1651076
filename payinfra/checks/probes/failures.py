"""What a failed call says: that it may pass, that something is not there, or that nothing is known."""

import re
from collections.abc import Mapping

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as NoConnection,
)
from dns.exception import DNSException
from httpx import TransportError

from payinfra.checks.verdicts import Kind, Verdict

_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|ProvisionedThroughputExceeded|SlowDown|PriorRequestNotComplete"
)
_DENIED = re.compile(
    r"AccessDenied|Unauthorized|AuthorizationError|NotAuthorized|UnrecognizedClient|InvalidClientTokenId"
    r"|ExpiredToken|SignatureDoesNotMatch|InvalidAccessKeyId|OptInRequired"
)
_ABSENT = re.compile(r"(NotFound(Exception|Fault|Error)?|NotFoundForVersion)$|^NoSuch|NonExistent|^404$")
_PERMISSION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


class NotYet(Exception):
    """What was seen is not right, but may become so by itself."""


class NoData(NotYet):
    """Nothing was answered that could be judged. It may come; while it does not, nothing is known."""


def code_of(error: ClientError) -> str:
    """AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_absent(error: ClientError) -> bool:
    """Whether what was asked for is not there."""
    return bool(_ABSENT.search(code_of(error)))


def is_passing(error: BaseException) -> bool:
    """Whether it is worth asking again."""
    match error:
        case NotYet() | HTTPClientError() | NoConnection() | TransportError() | DNSException():
            return True
        case ClientError():
            return bool(_THROTTLED.search(code_of(error))) or _status(error.response) >= 500
        case _:
            return False


def verdict_for(error: Exception) -> Verdict:
    """What a call that failed for good comes to. Only what is certainly absent FAILs; the rest is ERROR."""
    match error:
        case ClientError() if is_absent(error):
            return Verdict.failed(f"{error.operation_name}: {_said(error)}")
        case ClientError() if _DENIED.search(code_of(error)):
            said = _said(error)
            named = _PERMISSION.search(said)
            what = named[1] if named else error.operation_name
            return Verdict.error(f"access denied: the caller lacks {what} ({code_of(error)})")
        case ClientError():
            return Verdict.error(f"{error.operation_name} answered {code_of(error)}: {_said(error)}")
        case NoCredentialsError():
            return Verdict.error("there are no AWS credentials")
        case BotoCoreError() | TransportError() | DNSException():
            return Verdict.error(f"no answer: {type(error).__name__}: {error}")
        case _:
            return Verdict.error(f"the probe raised {type(error).__name__}: {error}")


def late(error: NotYet, kind: Kind, seconds: float) -> Verdict:
    """What never became right comes to. What was never known is no failure: it is an ERROR."""
    found = Kind.ERROR if isinstance(error, NoData) else kind
    return Verdict(found, f"{error} (asked for {seconds:.0f} s)")


def _said(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) or code_of(error)


def _status(response: Mapping[str, object]) -> int:
    match response.get("ResponseMetadata"):
        case {"HTTPStatusCode": int(status)}:
            return status
        case _:
            return 0
