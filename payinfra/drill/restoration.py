"""Puts back what drills have left: by their journals, and by what is there where a journal is lost."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.probes.failures import verdict_for
from payinfra.checks.probes.verify import CONNECT_S, READ_S
from payinfra.clients.retry import Deadline
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, PayinfraError
from payinfra.drill import marked_payments, reconciliation, replicas
from payinfra.drill.audit_objects import S3AuditStore, reconcile_audit, remove_left_over
from payinfra.drill.environment import COMMAND, DrillEnvironment
from payinfra.drill.faults import leftovers
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients
from payinfra.drill.faults.executor import WITHIN_S, AwsFaultExecutor, FaultExecutor
from payinfra.drill.faults.journal import DamagedJournal, FaultJournal, open_journals, restore_command
from payinfra.drill.faults.rollback import Keep, keep_nothing, restore
from payinfra.drill.load import payment_log
from payinfra.drill.load.payments import DrillPayment
from payinfra.drill.model import Reconciliation, Restoration, Restored

NO_JOURNAL = "without a journal"
"""Stands for the drill where what it left was found by what is there."""
SETTLED_WITHOUT_IT = "all that its damaged journal may name: nothing differs from what was declared"
RECONCILED_WITHIN_S = 60.0
"""How long payments may take to be the same in both regions once the fault is gone, in seconds."""
EMBEDDED_WITHIN_S = 15.0
"""How long a change to the embedded AWS is tried again: it answers at once, or not at all."""

Say = Callable[[str], None]


def executor_of(environment: DrillEnvironment, account: str) -> FaultExecutor:
    """What changes the environment. It tries again by itself: its clients need not.

    Args:
        account: whose actions are rolled back, as twelve digits.
    """
    within_s = WITHIN_S if environment.on_aws else EMBEDDED_WITHIN_S
    brief = environment.aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1)
    return AwsFaultExecutor(brief, environment.control, within_s=within_s, account=account)


def roll_back(
    environment: DrillEnvironment,
    journal: FaultJournal,
    executor: FaultExecutor,
    say: Say,
    *,
    armed: str = "",
    keep: Keep = keep_nothing,
) -> Restoration:
    """Roll back what a journal says is in place, in the words of the environment's target.

    Args:
        armed: what else is ready to lift the faults; goes into the result as it is.
        keep: what stays in place for now.

    Raises:
        EnvironmentUnusable: the journal cannot be read.
    """

    def describe(action: FaultAction) -> ActionDescription:
        return action.describe(environment.aws.endpoints)

    return restore(journal, executor, say, describe=describe, watchdog=armed, keep=keep)


def reconcile_payments(
    environment: DrillEnvironment,
    folder: Path,
    log: payment_log.PaymentLog,
    within_s: float = RECONCILED_WITHIN_S,
    read: Callable[[Path], payment_log.Entries] = payment_log.read,
) -> Reconciliation:
    """Read the payments and their audit objects back from the log that was written, and remove them.

    Args:
        within_s: how long payments may take to be the same in both regions, in seconds.
        read: reads the log; what it passes over is not counted.

    Raises:
        GateFailed, EnvironmentUnusable: the log, or a region, could not be read. Nothing was removed.
    """
    log.flush()
    entries = read(folder / payment_log.NAME)
    here, there = (replicas.TableReplica(environment.aws, region) for region in environment.outputs.regions)
    found = reconciliation.reconcile(entries, (here, there), log, within_s=within_s)
    # What was under way when an earlier reconciliation was killed is removed, and not judged.
    begun = frozenset(entries.removals)
    good = frozenset(one.key for one in entries.attempts if one.result.good)
    judged = frozenset(one.key for one in entries.payments if one.key in good and one.payment_id not in begun)
    try:
        audit = reconcile_audit(entries.payments, judged, _audit_stores(environment), within_s=within_s)
    except (ClientError, BotoCoreError) as error:
        return replace(found, audit_problem=verdict_for(error).message)
    return replace(found, audit=audit)


def restore_all(
    environment: DrillEnvironment, say: Say, *, reconciled_within_s: float = RECONCILED_WITHIN_S
) -> tuple[Restored, ...]:
    """Put back what drills have left, read their payments back and remove them. Once more changes nothing.

    The journals say what was done. Beside them what was declared is held against what is there, so that a
    fault is found whose journal is lost. A journal that cannot be read stops no other.

    Args:
        environment: whose drills they are.
        say: told of each step in a sentence.
        reconciled_within_s: how long payments may take to be the same in both regions, in seconds.

    Returns:
        What became of each drill that did not end, and of what was found without a journal.

    Raises:
        EnvironmentUnusable: another command holds the lock.
    """
    with exclusive(environment.work_dir, COMMAND), _alone(environment) as alone:
        begun = [_put_back(environment, path, say) for path in open_journals(environment.drills)]
        beside = _without_journal(environment, say, is_shared=not alone)
        found = tuple(
            _concluded(environment, one, say, reconciled_within_s, whole=not beside.left) for one in begun
        )
        if all(one.whole for one in found):  # The payments of a drill that goes on are still to be read.
            payments = _marked_payments(environment, say, reconciled_within_s)
            beside = Restoration((*beside.undone, *payments.undone), (*beside.left, *payments.left))
        if beside.undone or beside.left:
            found += (Restored(NO_JOURNAL, beside, None),)
        return found


@contextmanager
def _alone(environment: DrillEnvironment) -> Iterator[bool]:
    """Whether no other drill runs on the same embedded AWS; none begins as long as the block runs."""
    with ExitStack() as held:
        alone = True
        if environment.shared is not None:
            try:
                held.enter_context(exclusive(environment.shared, COMMAND))
            except EnvironmentUnusable:
                alone = False
        yield alone


@dataclass(frozen=True)
class _PutBack:
    """What a journal's actions came to.

    Attributes:
        journal: None where it says nothing that can be relied on.
        is_damaged: whether that is because it is damaged.
    """

    path: Path
    journal: FaultJournal | None
    restoration: Restoration
    is_damaged: bool = False


def _put_back(environment: DrillEnvironment, path: Path, say: Say) -> _PutBack:
    """Roll back what a journal says is in place."""
    try:
        journal = FaultJournal.reopen(path)
        header = journal.read().header
    except DamagedJournal as error:
        return _PutBack(path, None, Restoration((), (f"{error.what} {error.hint}",)), is_damaged=True)
    except EnvironmentUnusable as error:
        return _PutBack(path, None, Restoration((), (f"{error.what} {error.hint}",)))
    try:
        account = environment.aws.account(environment.outputs.primary_region)
    except PayinfraError as error:
        return _PutBack(path, None, Restoration((), (f"{error.what} {error.hint}",)))
    if (header.env, header.target, header.account) != (environment.env, environment.target, account):
        elsewhere = (
            f"{path} is the journal of a drill of environment {header.env} ({header.target}) in account "
            f"{header.account}: nothing was done. Where that was drilled, with that account's credentials, "
            f"run `{restore_command(header.env, header.target)}`; then remove this folder."
        )
        return _PutBack(path, None, Restoration((), (elsewhere,)))
    return _PutBack(path, journal, roll_back(environment, journal, executor_of(environment, account), say))


def _without_journal(environment: DrillEnvironment, say: Say, *, is_shared: bool) -> Restoration:
    """Put back what differs from what was declared as faults make it differ."""
    brief = environment.aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1)
    clients = FaultClients(brief, environment.control)
    account = environment.outputs.primary.account
    return leftovers.put_back(
        lambda: leftovers.find(environment.outputs, clients, is_shared=is_shared),
        executor_of(environment, account),
        say,
        lambda action: action.describe(environment.aws.endpoints),
    )


def _marked_payments(environment: DrillEnvironment, say: Say, within_s: float) -> Restoration:
    """Remove the payments of drills that no payment log has, with their audit objects."""
    aws, regions = environment.aws, environment.outputs.regions

    def look() -> tuple[DrillPayment, ...]:
        return tuple(one for region in regions for one in marked_payments.find(aws, region, environment.env))

    deadline = Deadline.within(within_s)
    replica = [replicas.TableReplica(aws, region) for region in regions]
    try:
        found = marked_payments.remove(look, replica, deadline)
        if found.payments:
            say(f"Found without a payment log: {_payments(len(found.payments))} of drills. Removing.")
        objects = remove_left_over(environment.env, _audit_stores(environment), within_s)
    except (ClientError, BotoCoreError) as error:
        reason = verdict_for(error).message
        return Restoration((), (f"Whether payments of drills are left cannot be told: {reason}.",))
    if not (found.payments or objects.removed or objects.left):
        return Restoration((), ())
    gone = len(found.payments) - len(found.left)
    left = [f"Not removed: payment {one} of a drill." for one in found.left]
    left += (f"Not removed: audit object {one} of a drill's payment." for one in objects.left)
    are = "is" if gone == 1 else "are"
    said = f"{_payments(gone)} of drills {are} removed, and {_counted(objects.removed, 'audit object')}"
    return Restoration((said,), tuple(left))


def _audit_stores(environment: DrillEnvironment) -> tuple[S3AuditStore, S3AuditStore]:
    locked = environment.outputs.declared.retention.object_lock is not None
    first, second = (S3AuditStore(environment.aws, one, locked) for one in environment.outputs.regions)
    return first, second


def _payments(count: int) -> str:
    return _counted(count, "payment")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _concluded(
    environment: DrillEnvironment, begun: _PutBack, say: Say, within_s: float, *, whole: bool
) -> Restored:
    """Read a drill's payments back, and close its journal where nothing is left.

    Args:
        whole: whether nothing differs from what was declared: then a damaged journal is not needed any more.
    """
    name, log_path = begun.path.parent.name, begun.path.parent / payment_log.NAME
    restoration = begun.restoration
    if begun.is_damaged and whole:
        restoration = Restoration((SETTLED_WITHOUT_IT,), ())
    elif begun.journal is None:
        return Restored(name, restoration, None)
    counted: Reconciliation | None = None
    problem = ""
    if log_path.exists():
        say("Reading the drill's payments back, and removing them.")
        try:
            with payment_log.PaymentLog(log_path) as log:
                folder, salvage = begun.path.parent, payment_log.salvage
                counted = reconcile_payments(environment, folder, log, within_s, salvage)
                damaged = len(payment_log.salvage(log_path).damaged)
                if damaged:
                    said = f"{damaged} damaged lines of its payment log: what they said is not counted"
                    restoration = replace(restoration, undone=(*restoration.undone, said))
        except (PayinfraError, ClientError, BotoCoreError) as error:
            problem = str(error)
    found = Restored(name, restoration, counted, problem)
    if not found.whole:
        return found
    try:
        if begun.journal is not None:
            begun.journal.close()
        else:
            FaultJournal(begun.path).set_aside()
    except EnvironmentUnusable as error:
        return replace(found, restoration=replace(restoration, left=(f"{error.what} {error.hint}",)))
    return found
