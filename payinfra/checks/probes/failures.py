"""The verdict that a failed call of a probe comes to."""

import re

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from dns.exception import DNSException
from httpx import TransportError

from payinfra.checks.verdicts import Kind, Verdict
from payinfra.clients.aws_errors import NoData, NotYet, code_of, is_absent, is_denied, message_of

AGAIN = "Run `payinfra verify` again: nothing was judged here, because no answer came in time."
_ALLOW = "Allow the caller this action, or verify with a role that has it (`payinfra ci-role` makes one)."
_CREDENTIALS = "Give credentials, for example by AWS_PROFILE, and run `payinfra verify` again."
_REFUSED = "See to what the answer says, then run `payinfra verify` again: nothing was judged here."
RAISED = "This is a fault of the probe, not of the environment: report it with the message."
_STALE = re.compile("Token|Signature|AccessKey")
_PERMISSION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")


def verdict_for(error: Exception) -> Verdict:
    """What a call that failed for good comes to. Only what is certainly absent FAILs; the rest is ERROR."""
    match error:
        case ClientError() if is_absent(error):
            return Verdict.failed(f"{error.operation_name}: {message_of(error)}")
        case ClientError() if is_denied(error):
            named = _PERMISSION.search(message_of(error))
            what = named[1] if named else error.operation_name
            remedy = _CREDENTIALS if _STALE.search(code_of(error)) else _ALLOW
            return Verdict.error(f"access denied: the caller lacks {what} ({code_of(error)})", remedy=remedy)
        case ClientError():
            said = f"{error.operation_name} answered {code_of(error)}: {message_of(error)}"
            return Verdict.error(said, remedy=_REFUSED)
        case NoCredentialsError():
            return Verdict.error("there are no AWS credentials", remedy=_CREDENTIALS)
        case BotoCoreError() | TransportError() | DNSException():
            return Verdict.error(f"no answer: {type(error).__name__}: {error}", remedy=AGAIN)
        case _:
            return Verdict.error(f"the probe raised {type(error).__name__}: {error}", remedy=RAISED)


def late(error: NotYet, kind: Kind, seconds: float) -> Verdict:
    """What never became right comes to. What was never known is no failure: it is an ERROR."""
    said = f"{error} (asked for {seconds:.0f} s)"
    return Verdict.error(said, remedy=AGAIN) if isinstance(error, NoData) else Verdict(kind, said)
