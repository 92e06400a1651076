"""Verdicts and the rules they judge: shared by policy checks, source checks and live probes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, auto

_ID = re.compile(r"[A-Z]+(?:-[A-Z0-9]+)*-\d{3}")


class Severity(StrEnum):
    """How bad a failing check is. Compare with `rank` or `at_least`: the values are plain strings."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low up to 3 for critical."""
        return tuple(Severity).index(self)

    def at_least(self, threshold: "Severity") -> bool:
        """Whether this is as bad as the threshold, or worse."""
        return self.rank >= threshold.rank


class Kind(StrEnum):
    """What was found out. UNKNOWN and ERROR fail a gate as FAIL does; WARN never does."""

    @staticmethod
    def _generate_next_value_(name: str, *_start_count_and_last_values: object) -> str:
        """Each value is written as its name (spelt out, a PASS looks like a password to a linter)."""
        return name

    PASS = auto()
    WARN = auto()
    FAIL = auto()
    NOT_APPLICABLE = auto()
    UNKNOWN = auto()
    ERROR = auto()


@dataclass(frozen=True)
class Verdict:
    """One judgement about one thing.

    Attributes:
        kind: what was found out.
        message: one sentence that names what was seen; empty for a plain pass.
        address: what was judged, `aws_s3_bucket.audit` for a resource; empty stands for the resource that
            the check was called with, or for the whole manifest.
        file: the file of a source check, as a person would write it; empty in a policy check.
        line: the line in `file`, from 1; 0 where there is none.
        remedy: what to do about this verdict, in one sentence; empty where the rule's `fix` says it.
    """

    kind: Kind
    message: str = ""
    address: str = ""
    file: str = ""
    line: int = 0
    remedy: str = ""

    @classmethod
    def passed(cls, message: str = "", address: str = "") -> "Verdict":
        """The title's condition holds."""
        return cls(Kind.PASS, message, address)

    @classmethod
    def failed(cls, message: str, address: str = "", *, file: str = "", line: int = 0) -> "Verdict":
        """It does not hold, and here is what was seen instead."""
        return cls(Kind.FAIL, message, address, file, line)

    @classmethod
    def warn(cls, message: str, address: str = "", *, file: str = "", line: int = 0) -> "Verdict":
        """It holds, but a person should know this."""
        return cls(Kind.WARN, message, address, file, line)

    @classmethod
    def unknown(cls, message: str, address: str = "", *, file: str = "", line: int = 0) -> "Verdict":
        """The manifest does not say: a reference that only Terraform can resolve, a type that is wrong."""
        return cls(Kind.UNKNOWN, message, address, file, line)

    @classmethod
    def not_applicable(cls, message: str = "", address: str = "") -> "Verdict":
        """There is nothing here that the title is about."""
        return cls(Kind.NOT_APPLICABLE, message, address)

    @classmethod
    def error(cls, message: str, address: str = "", *, remedy: str = "") -> "Verdict":
        """Judging went wrong: a crash, no data, no access. The rule's `fix` seldom mends that."""
        return cls(Kind.ERROR, message, address, remedy=remedy)


Verdicts = Verdict | Iterable[Verdict]


@dataclass(frozen=True)
class Rule:
    """What a person reads about a check or a probe: the same for every verdict of it.

    Attributes:
        id: stable for ever, such as `PI-S3-001`.
        title: the condition that a pass means.
        severity: how bad a failure is.
        risk: what can happen while it fails, in one sentence.
        fix: what to do, in one sentence.
        controls: published controls that were confirmed to ask for this, such as `AWS FSBP S3.8`.
    """

    id: str
    title: str
    severity: Severity
    risk: str
    fix: str
    controls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would be printed as a hole later.

        Raises:
            ValueError: the id is malformed, or a text is empty.
        """
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} is not an id such as PI-S3-001")
        for field in ("title", "risk", "fix"):
            if not getattr(self, field).strip():
                raise ValueError(f"{self.id} has no {field}")
