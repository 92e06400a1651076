"""What the doctor finds: a value for each prerequisite, and all of them for the targets asked for."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from payinfra.core.settings import Target

ANSWERS_WITHIN_S = 5.0
BOTH = (Target.AWS, Target.LOCAL)


@dataclass(frozen=True)
class Prerequisite:
    """One prerequisite: what was found, what is needed, and how to fix it.

    Attributes:
        targets: the targets that need it.
        known: whether it could be checked. An unknown prerequisite is not good, but does not block a target.
    """

    name: str
    good: bool
    found: str
    needed: str
    fix: str
    targets: tuple[Target, ...] = BOTH
    known: bool = True


@dataclass(frozen=True)
class Diagnosis:
    """All prerequisites of these targets."""

    targets: tuple[Target, ...]
    findings: tuple[Prerequisite, ...]

    def usable(self, target: Target) -> bool:
        """Whether nothing that the target needs is known to be missing."""
        return not any(target in each.targets and each.known and not each.good for each in self.findings)

    @property
    def good(self) -> bool:
        """Whether at least one of the targets can be used."""
        return any(self.usable(target) for target in self.targets)


def why_silent(url: str, get: Callable[..., object] = httpx.get) -> str:
    """Why a URL does not answer within a few seconds; empty where it answers, whatever the status."""
    try:
        get(url, timeout=ANSWERS_WITHIN_S)
    except httpx.TimeoutException:
        return f"no answer within {ANSWERS_WITHIN_S:g} s"
    except httpx.HTTPError as error:
        return _why(error)
    return ""


def _why(error: BaseException) -> str:
    """The innermost cause of a failed request, in a phrase."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case socket.gaierror():
                return "its name is not known here"
            case ConnectionRefusedError():
                return "it refuses the connection"
            case ssl.SSLCertVerificationError():
                return f"its certificate is not trusted ({cause.verify_message})"
            case OSError(strerror=str(why)) if why:
                return why[0].lower() + why[1:]
            case _:
                error, cause = cause, cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
