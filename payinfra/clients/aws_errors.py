"""What an error of AWS, HTTP or DNS means: something is absent, access is denied, or a retry may help.

Each AWS service has its own codes for the same thing. Only this module knows them all. Importing it loads
neither botocore nor httpx: commands that never call AWS import it too.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|ProvisionedThroughputExceeded|SlowDown|PriorRequestNotComplete"
)
_DENIED = re.compile(
    r"AccessDenied|Unauthorized|AuthorizationError|NotAuthorized|UnrecognizedClient|InvalidClientTokenId"
    r"|ExpiredToken|SignatureDoesNotMatch|InvalidAccessKeyId|OptInRequired|^403$"
)
# `KMS.NotFoundException` of S3 and `KMSNotFound` of SNS are about the key of a thing that does exist.
_ABSENT = re.compile(
    r"^(?!KMS)(?:.*(?:NotFound(?:Exception|Fault|Error)?|NotFoundForVersion)$|NoSuch|.*NonExistent|.*DoesNotExist$|404$)"
)


class NotYet(Exception):
    """What was seen is not right, but may become so by itself."""


class NoData(NotYet):
    """The answer held nothing that could be judged. Data may come; until it does, nothing is known."""


def code_of(error: "ClientError") -> str:
    """AWS's code of an error, such as `AccessDeniedException`; empty where the answer has none."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: "ClientError") -> str:
    """AWS's message of an error; its code where the answer has no message."""
    return str(error.response.get("Error", {}).get("Message", "")) or code_of(error)


def is_absent(error: "ClientError") -> bool:
    """Whether AWS says that what was asked for does not exist."""
    return bool(_ABSENT.search(code_of(error)))


def is_denied(error: "ClientError") -> bool:
    """Whether AWS refused the caller: a permission is missing, or the credentials are not valid."""
    return bool(_DENIED.search(code_of(error)))


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a little later."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as NoConnection
    from dns.exception import DNSException
    from httpx import TransportError

    match error:
        case NotYet() | HTTPClientError() | NoConnection() | TransportError() | DNSException():
            return True
        case ClientError():
            return bool(_THROTTLED.search(code_of(error))) or _status(error.response) >= 500
        case _:
            return False


def _status(response: Mapping[str, object]) -> int:
    match response.get("ResponseMetadata"):
        case {"HTTPStatusCode": int(status)}:
            return status
        case _:
            return 0
