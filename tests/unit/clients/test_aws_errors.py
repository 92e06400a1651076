"""What errors of AWS mean, by the codes that its services really send."""

import subprocess
import sys

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError, ReadTimeoutError
from httpx import ConnectError

from payinfra.clients.aws_errors import (
    NoData,
    NotYet,
    code_of,
    is_absent,
    is_denied,
    is_transient,
    message_of,
)


def error(code: str, message: str = "", status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Anything")  # type: ignore[arg-type]  # the stub wants all of the metadata


@pytest.mark.parametrize(
    "code",
    [
        *("404", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchKey", "NoSuchTagSet", "NoSuchEntity"),
        *("NoSuchHealthCheck", "NoSuchHostedZone", "NoSuchPublicAccessBlockConfiguration"),
        *("NotFoundException", "ResourceNotFoundException", "TableNotFoundException", "ParameterNotFound"),
        *("OwnershipControlsNotFoundError", "ReplicationConfigurationNotFoundError"),
        *("ServerSideEncryptionConfigurationNotFoundError", "NotFound", "ReplicaNotFoundException"),
        *("DBClusterNotFoundFault", "AWS.SimpleQueueService.NonExistentQueue"),
    ],
)
def test_a_code_of_absence(code: str) -> None:
    assert is_absent(error(code))


@pytest.mark.parametrize(
    "code",
    [
        *("", "403", "AccessDenied", "ThrottlingException", "ValidationException", "InternalError", "4040"),
        "ConflictException",
        # S3 and SNS: the object or topic exists, its key does not.
        *("KMS.NotFoundException", "KMSNotFound", "KMSNotFoundException"),
    ],
)
def test_a_code_that_says_nothing_of_absence(code: str) -> None:
    assert not is_absent(error(code))


@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("AccessDenied", True),
        ("AccessDeniedException", True),
        ("UnauthorizedOperation", True),
        ("ExpiredTokenException", True),
        ("UnrecognizedClientException", True),
        ("403", True),
        ("404", False),
        ("ThrottlingException", False),
        ("", False),
    ],
)
def test_whether_the_caller_was_refused(code: str, denied: bool) -> None:
    assert is_denied(error(code)) is denied


@pytest.mark.parametrize(
    ("failure", "transient"),
    [
        (NotYet("pending"), True),
        (NoData("no datapoint"), True),
        (ConnectTimeoutError(endpoint_url="https://x"), True),
        (ReadTimeoutError(endpoint_url="https://x"), True),
        (ConnectError("refused"), True),
        (error("ThrottlingException"), True),
        (error("TooManyRequestsException", status=429), True),
        (error("PriorRequestNotComplete"), True),
        (error("ServiceUnavailable", status=503), True),
        (error("AccessDenied", status=403), False),
        (error("NoSuchBucket", status=404), False),
        (ClientError({"Error": {"Code": "X"}}, "Anything"), False),
        (NoCredentialsError(), False),
        (KeyError("x"), False),
    ],
)
def test_whether_a_retry_may_help(failure: Exception, transient: bool) -> None:
    assert is_transient(failure) is transient


def test_the_code_and_the_message_of_an_error() -> None:
    assert (code_of(error("X", "why")), message_of(error("X", "why"))) == ("X", "why")
    assert message_of(error("X")) == "X"
    assert code_of(ClientError({}, "Anything")) == ""


def test_importing_it_loads_no_client() -> None:
    script = (
        "import sys, payinfra.clients.aws_errors, payinfra.clients.retry\n"
        "print([name for name in ('botocore', 'httpx', 'dns', 'tenacity') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
