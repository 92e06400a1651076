"""Something outside of this process that takes a drill's limit away when nobody else does.

Before a function's concurrency is taken away on AWS, an EventBridge schedule is made that gives it back, with
a role that `payinfra bootstrap --drills` makes in the account. Without the role, or without the permission to
use it, the drill goes on and says that there is no watchdog.
"""

from collections.abc import Sequence
from datetime import datetime

from payinfra.core.naming import DRILL_SCHEDULER_ROLE
from payinfra.core.outputs import Outputs
from payinfra.drill.faults.executor import FaultExecutor, FaultFailed
from payinfra.drill.faults.journal import FaultJournal
from payinfra.drill.faults.model import ArmWatchdog, Fault, SetConcurrency, describe, role_arn

EMBEDDED = "none: the embedded AWS has no EventBridge Scheduler"
NOT_NEEDED = "none is needed: what is done ends by itself, or harms nobody"


def watchdogs(
    mutations: Sequence[Fault], outputs: Outputs, *, drill: str, at: datetime
) -> tuple[ArmWatchdog, ...]:
    """The watchdogs that these mutations want on AWS: one for each function that may not run.

    Args:
        mutations: what is to be injected.
        outputs: of the environment.
        drill: the drill's id, of letters, digits and - . _
        at: when the limits are lifted, with a time zone: later than the drill can take.
    """
    role = role_arn(outputs, DRILL_SCHEDULER_ROLE)
    return tuple(
        ArmWatchdog(one.region, f"{drill}-{one.region}", one.function, one.original, at, role)
        for one in mutations
        if isinstance(one, SetConcurrency)
    )


def arm(wanted: Sequence[ArmWatchdog], journal: FaultJournal, hands: FaultExecutor) -> str:
    """Arm watchdogs, each journaled first; what is ready to lift the fault, or why nothing is, in a phrase.

    One that was refused is not there, and the journal says so. One of which nobody knows stays in the
    journal, and restoration removes it.

    Raises:
        EnvironmentUnusable: the journal cannot be written.
    """
    says = [_arm(one, journal, hands) for one in wanted]
    return "; ".join(says) or NOT_NEEDED


def _arm(watchdog: ArmWatchdog, journal: FaultJournal, hands: FaultExecutor) -> str:
    number = journal.announce(watchdog)
    try:
        hands.do(watchdog)
    except FaultFailed as error:
        if error.refused:
            journal.undone(number)
        return f"none: {error.reason} (`payinfra bootstrap --drills` makes what it needs)"
    journal.done(number)
    return f"armed: {describe(watchdog).done}"
