"""Finds what drills have left in place without a journal: what was declared is held against what is there."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.probes.failures import verdict_for
from payinfra.clients.aws_errors import is_absent
from payinfra.core.errors import PayinfraError
from payinfra.core.outputs import Outputs
from payinfra.drill.faults import marks
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, HoldTimeScale
from payinfra.drill.faults.executor import FaultExecutor, FaultFailed
from payinfra.drill.faults.model import ROUTE53_REGION, Fault, FaultSearch
from payinfra.drill.faults.registry import all_faults
from payinfra.drill.model import Restoration
from payinfra.local import faults as emulator_faults
from payinfra.local.control import Control

ROUNDS = 3
"""How often is looked and put back: in a region that answers nothing more is seen once it answers."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Leftovers:
    """What is in place.

    Attributes:
        actions: they roll it back to what was declared.
        unknown: what could not be looked at, each in a sentence: it may be in place.
    """

    actions: tuple[FaultAction, ...]
    unknown: tuple[str, ...]


def find(outputs: Outputs, clients: FaultClients, *, is_shared: bool) -> Leftovers:
    """Look for every fault in both regions.

    Args:
        outputs: of the environment: what was declared.
        clients: try once.
        is_shared: whether a drill of another environment of the same embedded AWS runs.
    """
    account = outputs.primary.account
    try:
        present = clients.aws.account(ROUTE53_REGION)
    except PayinfraError as error:
        return Leftovers((), (f"Whether a fault is in place cannot be told: {error.what}",))
    if present != account:
        return Leftovers(
            (),
            (
                f"Whether a fault is in place cannot be told: the credentials are account {present}'s, and "
                f"the environment is in account {account}.",
            ),
        )
    found: list[FaultAction] = []
    unknown: list[str] = []
    regions = zip(outputs.regions, outputs.declared.regions, strict=True)
    searches = [FaultSearch(outputs, *each, clients, is_shared) for each in regions]
    # What AWS cannot do is not there, and all calls of Route 53, which has the marks, share five a second.
    possible = [fault for fault in all_faults() if fault.on_aws or clients.control is not None]
    asked = [(search, fault) for search in searches for fault in possible]
    with ThreadPoolExecutor(len(asked)) as asking:  # A region that is dark answers each call late.
        for left in asking.map(lambda each: _left_by(*each), asked):
            found += left.actions
            unknown += left.unknown
    if clients.control is not None:
        try:
            found += _held_time(outputs.environment_suffix, clients.control)
            unknown += _anybodys_faults(clients.control) if is_shared else ()
        except PayinfraError as error:
            unknown.append(f"How the embedded AWS is set cannot be told: {_reason(error)}.")
    return Leftovers(tuple(dict.fromkeys(found)), tuple(unknown))


def _left_by(search: FaultSearch, fault: Fault) -> Leftovers:
    """What one fault has left in one region: what differs first, then the mark that says what was before."""
    try:
        mark = _mark(search, fault)
        actions = tuple(fault.leftovers(replace(search, mark=mark.mark if mark else None)))
    except (ClientError, BotoCoreError, PayinfraError) as error:
        # What was destroyed has taken with it what a drill did to it.
        if isinstance(error, ClientError) and is_absent(error):
            return Leftovers((), ())
        where = f"{fault.name} is in place in {search.region.region}"
        return Leftovers((), (f"Whether {where} cannot be told: {_reason(error)}.",))
    return Leftovers((*actions, mark) if mark else actions, ())


def _mark(search: FaultSearch, fault: Fault) -> marks.MarkResource | None:
    """The mark of a fault; none on what is not there any more."""
    try:
        return marks.find(search.clients, fault.name, fault.mark.on(search.region))
    except ClientError as error:
        if is_absent(error):
            return None
        raise


def put_back(
    look: Callable[[], Leftovers],
    executor: FaultExecutor,
    tell: Say,
    describe: Callable[[FaultAction], ActionDescription],
) -> Restoration:
    """Roll back what is found, and look again: nothing is said to be restored that was not read back.

    Args:
        look: as `find`.
        executor: what rolls back.
        tell: told of each step in a sentence.
        describe: puts an action into words.
    """
    undone: list[str] = []
    failed: dict[FaultAction, str] = {}
    found = look()
    for _ in range(ROUNDS):
        if not found.actions:
            break
        for action in found.actions:
            if isinstance(action, marks.MarkResource) and (failed or found.unknown):
                continue  # it tells the next drill what was before
            words = describe(action)
            tell(f"Found without a journal: {words.done}. Restoring: {words.undone}.")
            try:
                executor.rollback(action)
            except FaultFailed as error:
                failed[action] = error.reason
            else:
                failed.pop(action, None)
                undone.append(words.undone)
        found = look()
    left = [_left(describe(action), failed.get(action) or _why(action)) for action in found.actions]
    return Restoration(tuple(dict.fromkeys(undone)), (*left, *found.unknown))


def _held_time(env: str, control: Control) -> Iterator[FaultAction]:
    for holder, scale in control.status().time_scale_holds.items():
        if holder.startswith(f"{env}/"):
            yield HoldTimeScale(scale, holder)


def _anybodys_faults(control: Control) -> Iterator[str]:
    for active in control.list():
        yield (
            f"{emulator_faults.describe(active.fault)}, and a drill of another environment runs on this "
            "embedded AWS: whose fault it is cannot be told. Run the same again once that drill has ended."
        )


def _why(action: FaultAction) -> str:
    mark = isinstance(action, marks.MarkResource)
    return "it stays until all else is put back" if mark else "it is there again"


def _left(words: ActionDescription, reason: str) -> str:
    return f"Not restored: {words.done} ({reason}). Mend it with: {words.by_hand}"


def _reason(error: Exception) -> str:
    return error.what.rstrip(".") if isinstance(error, PayinfraError) else verdict_for(error).message
