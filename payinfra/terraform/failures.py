"""Turns what Terraform says when it fails into one error for a person."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, PayinfraError, ToolFailed
from payinfra.terraform.events import Collected, Diagnostic
from payinfra.terraform.mirror import VARIABLE

NAMED = 5  # more than these many errors are counted, not quoted
LONGEST = 600  # characters of one error; the log has the rest
NO_REGISTRY = (
    "failed to query available provider packages",
    "failed to install provider",
    "could not connect to",
    "failed to resolve provider packages",
)
UNREACHABLE = ("could not connect", "could not query provider registry", "failed to request")
BOX = str.maketrans("╷│╵", "   ")
"""What Terraform draws around an error that it does not say in JSON."""
LOCKED = "error acquiring the state lock"
STALE = "saved plan is stale"
NOT_SAVED = ("failed to save state", "failed to persist state", "error saving state", "error writing state")
MOVED = ("backend configuration changed", "backend initialization required", "backend type changed")


@dataclass(frozen=True)
class Translation:
    """What something that Terraform or the provider says means.

    Attributes:
        signs: parts of what they say, in lower case.
        means: what went wrong, in a phrase.
        next: what to do about it, in a sentence.
        outside: whether the machine or the credentials are at fault, not what was deployed.
    """

    signs: tuple[str, ...]
    means: str
    next: str
    outside: bool = False


FULL_DISK = Translation(
    ("no space left on device", "disk quota exceeded", "not enough space on the disk"),
    "the disk is full",
    "Free some space, then run the same command again.",
    outside=True,
)

TRANSLATIONS = (
    FULL_DISK,
    Translation(
        ("expiredtoken", "token included in the request is expired", "token has expired"),
        "the AWS credentials have expired",
        "Sign in again, then run the same command again.",
        outside=True,
    ),
    Translation(
        ("no valid credential sources", "failed to get shared config profile", "nocredentialproviders"),
        "no AWS credentials were found",
        "Set AWS_PROFILE, or the variables that the AWS CLI reads, then run the same command again.",
        outside=True,
    ),
    Translation(
        ("the referenced s3 bucket must have been previously created",),
        "the bucket of the state does not exist",
        "Create it: `payinfra bootstrap --state-bucket NAME`. Then run the same command again.",
        outside=True,
    ),
    Translation(
        ("accessdenied", "unauthorizedoperation", "not authorized to perform", "statuscode: 403"),
        "AWS denies a permission",
        "Give it to whoever deploys: `payinfra ci-role` prints all that a deployment needs.",
    ),
    Translation(
        ("limitexceeded", "servicequotaexceeded", "toomanybuckets", "quota exceeded", "limit exceeded"),
        "a quota of the account is reached",
        "Delete what nobody uses (`payinfra envs` lists environments), or have AWS raise the quota.",
    ),
    Translation(
        ("throttling", "toomanyrequests", "rate exceeded", "slowdown"),
        "AWS throttles the requests of this account",
        "Wait a minute, then run the same command again.",
    ),
    Translation(
        ("connection refused", "no such host", "i/o timeout", "network is unreachable", "connection reset"),
        "AWS cannot be reached",
        "Check the network, or with --local `payinfra local status`; then run the same command again.",
    ),
)
"""In the order in which they count. What none of them knows is quoted as Terraform says it.

The words are those of the AWS provider 5.100.0, of AWS SDK for Go v2 and of the system's own errors.
"""

_DENIED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)(?: on resource: (\S+))?", re.IGNORECASE)


@dataclass(frozen=True)
class LockHolder:
    """Who holds the state's lock, in Terraform's words; a field is empty where it does not say."""

    who: str
    operation: str
    created: str
    id: str


class TerraformFailed(ToolFailed):
    """Terraform ended with errors; `diagnostics` has them all."""

    def __init__(self, what: str, hint: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(what, hint)
        self.diagnostics = diagnostics


def lock_holder(detail: str) -> LockHolder | None:
    """The holder from the "Lock Info" in a diagnostic's detail; None where there is none."""
    if "Lock Info:" not in detail:
        return None
    fields = dict(re.findall(r"^\s+(\w+):[ \t]*(.*?)\s*$", detail.partition("Lock Info:")[2], re.MULTILINE))
    return LockHolder(
        who=fields.get("Who", ""),
        operation=fields.get("Operation", "").removeprefix("OperationType").lower(),
        created=fields.get("Created", "").partition(".")[0],
        id=fields.get("ID", ""),
    )


UNLOCK = "payinfra unlock"
_LOCK_REASON = re.compile(r"Error message:\s*(.*?)\s*(?:\w+ acquires a state lock|\Z)", re.DOTALL)
"""The reason between Terraform's introduction and its advice, which payinfra does not give: not to lock."""


def failure(
    command: str,
    code: int,
    collected: Collected,
    log: Path,
    *,
    unlock: str = UNLOCK,
    unsaved: Path | None = None,
    full_disk: bool = False,
) -> PayinfraError:
    """The error for a Terraform command that ended with errors.

    Args:
        command: Terraform's.
        code: its exit code, or the negative number of the signal that ended it.
        collected: what it said.
        log: where its whole output is.
        unlock: the command of payinfra that releases the state's lock, without the lock's id.
        unsaved: a state that Terraform could not save where it belongs, if it left one.
        full_disk: the disk became full, so that what Terraform said may be cut off.
    """
    for found in collected.errors:
        summary = found.summary.lower()
        if summary.startswith(LOCKED):
            return _locked(found, unlock)
        if command == "init" and summary.startswith(NO_REGISTRY):
            return _no_provider(found, log)
        if summary.startswith(MOVED):
            return _moved(found, log)
        if summary.startswith(STALE):
            return TerraformFailed(
                "The saved plan is out of date: the state has changed since it was made.",
                "Plan again, and apply the new plan.",
                collected.errors,
            )
    # `import` has no JSON output.
    locked = locked_out("\n".join(collected.other_lines), unlock)
    return locked or _failed(command, code, collected, log, unsaved=unsaved, full_disk=full_disk)


def locked_out(said: str, unlock: str = UNLOCK) -> PayinfraError | None:
    """The error for plain words of Terraform's, where they say that somebody else holds the state's lock."""
    if LOCKED not in said.lower():
        return None
    return _locked(Diagnostic("error", LOCKED, said.translate(BOX)), unlock)


def _locked(found: Diagnostic, unlock: str) -> PayinfraError:
    holder = lock_holder(found.detail)
    if holder is None:
        known = _translation((found.detail,))
        reason = _LOCK_REASON.search(found.detail)
        why = (
            f"{FULL_DISK.means}." if known is FULL_DISK else _shortened(reason[1] if reason else found.detail)
        )
        return EnvironmentUnusable(
            f"The state cannot be locked: {why}",
            known.next if known else "Make its place writable, then run the same command again.",
        )
    operation = f", for {holder.operation}" if holder.operation else ""
    return EnvironmentUnusable(
        f"Another run holds the state's lock: {holder.who or 'somebody'} since "
        f"{holder.created or 'an unknown time'} UTC{operation}.",
        "Wait for that run to end. If none can be under way (its machine is gone, say), release the lock: "
        f"`{unlock} {holder.id}`.",
    )


def _no_provider(found: Diagnostic, log: Path) -> PayinfraError:
    unreachable = any(sign in found.detail for sign in UNREACHABLE)
    why = "the registry cannot be reached and no mirror serves it" if unreachable else "nothing serves it"
    return EnvironmentUnusable(
        f"The provider cannot be installed: {why}. {_shortened(found.detail)}",
        f"Connect to the registry, or set {VARIABLE} to a folder that `terraform providers mirror FOLDER` "
        f"made where there is a connection. Terraform's log: {log}",
    )


def _moved(found: Diagnostic, log: Path) -> PayinfraError:
    return EnvironmentUnusable(
        f"The place of the state is not the one of the last run: {_shortened(found.summary)}",
        "Use the state settings of the last run, or move the state with `terraform init -migrate-state` in "
        f"the folder of the synthesized stack. Terraform's log: {log}",
    )


def _failed(
    command: str, code: int, collected: Collected, log: Path, *, unsaved: Path | None, full_disk: bool
) -> PayinfraError:
    errors = collected.errors
    known = _translation([*(one.sentence for one in errors), *collected.other_lines])
    if full_disk:
        known = FULL_DISK
    if known is FULL_DISK:
        what = f"terraform {command} failed: {known.means}."
    elif errors:
        said = "\n".join(_in_words(found) for found in errors[:NAMED])
        more = f"\n(and {len(errors) - NAMED} more)" if len(errors) > NAMED else ""
        what = f"terraform {command} failed: {said}{more}"
    else:
        how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        lines = list(collected.other_lines)[-3:]
        if known is not None:
            what = f"terraform {command} failed: {known.means}."
        else:
            what = f"terraform {command} {how}" + (f": {_shortened(' / '.join(lines))}" if lines else ".")
    hint = f"Terraform's log: {log}"
    if command == "apply":
        hint = f"{_kept(code, errors, unsaved)} {hint}"
    if known is not None:
        hint = f"{known.next} {hint}"
        if known.outside:
            return EnvironmentUnusable(what, hint)
    return TerraformFailed(what, hint, errors)


def _translation(said: Iterable[str]) -> Translation | None:
    """What is known of any of the sentences; the first of the table counts."""
    lower = [one.lower() for one in said]
    return next(
        (one for one in TRANSLATIONS if any(sign in text for sign in one.signs for text in lower)), None
    )


def _in_words(found: Diagnostic) -> str:
    """An error in our words where it is known, else in Terraform's own."""
    known = _translation((found.sentence,))
    if known is None:
        return _shortened(found.sentence)
    doing = found.summary.partition(":")[0].strip()
    told = (found.address, "" if _translation((doing,)) else doing)
    where = "".join(f"{one}: " for one in told if one)
    denied = _DENIED_ACTION.search(" ".join(found.sentence.split()))
    what = f": {denied[1]}" + (f" on {denied[2]}" if denied[2] else "") if denied else ""
    return f"{where}{known.means}{what}."


def _kept(code: int, errors: tuple[Diagnostic, ...], unsaved: Path | None) -> str:
    """What is known of the state after an apply that failed, and what to do."""
    if unsaved is not None:
        return (
            f"What was made is not in the state but in {unsaved}: mend the cause and run the same command "
            "again, which brings it in first."
        )
    if code < 0 or any(sign in one.summary.lower() for one in errors for sign in NOT_SAVED):
        return (
            "What was made last may not be in the state: run the same command again, which looks for it by "
            "its name."
        )
    return "What was made is in the state: mend the cause and run the same command again."


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
