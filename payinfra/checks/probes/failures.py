"""The verdict that a failed call of a probe comes to."""

import re

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from dns.exception import DNSException
from httpx import TransportError

from payinfra.checks.verdicts import Kind, Verdict
from payinfra.clients.aws_errors import NoData, NotYet, code_of, is_absent, is_denied, message_of

_PERMISSION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


def verdict_for(error: Exception) -> Verdict:
    """What a call that failed for good comes to. Only what is certainly absent FAILs; the rest is ERROR."""
    match error:
        case ClientError() if is_absent(error):
            return Verdict.failed(f"{error.operation_name}: {message_of(error)}")
        case ClientError() if is_denied(error):
            named = _PERMISSION.search(message_of(error))
            what = named[1] if named else error.operation_name
            return Verdict.error(f"access denied: the caller lacks {what} ({code_of(error)})")
        case ClientError():
            return Verdict.error(f"{error.operation_name} answered {code_of(error)}: {message_of(error)}")
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
