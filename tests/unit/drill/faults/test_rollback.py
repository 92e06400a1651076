"""Restoration: whatever order of failures and kills there was, everything is as before or named."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from payinfra.clients.aws import Aws
from payinfra.core.errors import NotRestored
from payinfra.drill.faults.actions import FaultAction, HoldTimeScale, SetTimeScale
from payinfra.drill.faults.executor import AwsFaultExecutor, FaultExecutor, FaultFailed
from payinfra.drill.faults.health_check import InvertHealthCheck
from payinfra.drill.faults.journal import FaultJournal, Header, open_journals
from payinfra.drill.faults.lambda_throttle import ArmWatchdog, SetConcurrency
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.replication_pause import PauseReplication, RunPauseExperiment
from payinfra.drill.faults.rollback import restore
from payinfra.drill.model import Restoration
from tests.support.drilled import EAST, HERE, FakeCloud, FakeCloudAws, Killed, Refused

ROLE = "arn:aws:iam::123456789012:role/payinfra-drill-fis"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/payment-demo-payments"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEADER = Header("d", "demo", "aws", "123456789012", (EAST, "us-west-2"), ("lambda-throttle",), AT, "payinfra")

INVERT = InvertHealthCheck("hc-east", original=False)
LIMIT = SetConcurrency(EAST, "pay", None)
DARK = Blackout(EAST)
WATCHDOG = ArmWatchdog(EAST, "d-us-east-1", "pay", None, AT, ROLE)


@dataclass
class ScriptedExecutor:
    """Hands that remember, and fail as they are told."""

    failures: dict[FaultAction, Sequence[Exception | None]] = field(default_factory=dict)
    undone: list[FaultAction] = field(default_factory=list)

    def inject(self, action: FaultAction) -> None:
        raise AssertionError("restoring does nothing new")

    def rollback(self, action: FaultAction) -> None:
        self.undone.append(action)
        told = self.failures.get(action, ())
        nth = self.undone.count(action) - 1
        if nth < len(told) and (failure := told[nth]):
            raise failure

    def is_active(self, action: FaultAction) -> bool:
        raise AssertionError("undoing looks by itself")


def failed(reason: str = "access denied") -> FaultFailed:
    return FaultFailed("It could not be", reason, "hint")


def journal_of(folder: Path, *actions: FaultAction) -> FaultJournal:
    """A journal in which these are done."""
    journal = FaultJournal.begin(folder / "d", HEADER)
    for action in actions:
        journal.done(journal.announce(action))
    return journal


def quiet(_said: str) -> None:
    pass


def test_what_is_left_is_undone_from_the_last_to_the_first(tmp_path: Path) -> None:
    journal, executor, told = journal_of(tmp_path, INVERT, LIMIT), ScriptedExecutor(), list[str]()
    journal.announce(DARK)
    found = restore(journal, executor, told.append, watchdog="armed: it is")
    assert executor.undone == [DARK, LIMIT, INVERT]
    assert found == Restoration(
        (
            "us-east-1 answers again",
            "function pay in us-east-1 has no reserved concurrency again",
            "health check hc-east is not inverted again",
        ),
        (),
        "armed: it is",
    )
    assert told == [f"Restoring: {one}." for one in found.undone]
    assert journal.read().left == ()


def test_a_second_run_touches_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, INVERT, LIMIT)
    restore(journal, ScriptedExecutor(), quiet)
    whole, executor = journal.path.read_bytes(), ScriptedExecutor()
    assert restore(journal, executor, quiet) == Restoration((), ())
    assert (executor.undone, journal.path.read_bytes()) == ([], whole)


def test_the_journal_is_left_to_be_closed_by_whoever_knows_that_all_is_done(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, INVERT)
    restore(journal, ScriptedExecutor(), quiet)
    assert open_journals(tmp_path) == (journal.path,)
    journal.close()
    assert open_journals(tmp_path) == ()


def test_one_that_fails_stops_no_other_and_is_named_with_how_to_mend_it(tmp_path: Path) -> None:
    journal, told = journal_of(tmp_path, INVERT, LIMIT, DARK), list[str]()
    executor = ScriptedExecutor({LIMIT: [failed()] * 9})
    found = restore(journal, executor, told.append)
    assert found.undone == ("us-east-1 answers again", "health check hc-east is not inverted again")
    assert found.left == (
        "Not restored: function pay in us-east-1 may not run: its reserved concurrency is 0 (access denied). "
        "Mend it with: aws lambda delete-function-concurrency --function-name pay --region us-east-1",
    )
    assert found.left[0] in told
    assert [entry.action for entry in journal.read().left] == [LIMIT]
    with pytest.raises(NotRestored):
        journal.close()
    again = restore(journal, ScriptedExecutor(), quiet)
    assert (again.undone, again.left) == (
        ("function pay in us-east-1 has no reserved concurrency again",),
        (),
    )


def test_one_that_was_only_announced_is_said_to_be_perhaps_in_place(tmp_path: Path) -> None:
    journal = journal_of(tmp_path)
    journal.announce(DARK)
    found = restore(journal, ScriptedExecutor({DARK: [failed("no answer")] * 9}), quiet)
    assert found.left == (
        "Perhaps in place: us-east-1 answers nothing (no answer). "
        "Mend it with: payinfra local fault clear --all",
    )


def test_what_stood_in_the_resolver_of_another_is_undone_and_the_other_is_tried_again(tmp_path: Path) -> None:
    # The region is dark, so its function cannot be given back until it is not.
    journal = journal_of(tmp_path, DARK, LIMIT)
    executor = ScriptedExecutor({LIMIT: [failed("no answer")]})
    found = restore(journal, executor, quiet)
    assert executor.undone == [LIMIT, DARK, LIMIT]
    assert (len(found.undone), found.left) == (2, ())


def test_what_is_spared_stays_until_a_restoration_that_spares_nothing(tmp_path: Path) -> None:
    pace = SetTimeScale(20, 1)
    journal, executor = journal_of(tmp_path, pace, INVERT), ScriptedExecutor()
    first = restore(journal, executor, quiet, keep=lambda one: one == pace)
    assert (executor.undone, first.left) == ([INVERT], ())
    assert [entry.action for entry in journal.read().left] == [pace]
    restore(journal, executor, quiet)
    assert executor.undone == [INVERT, pace]


def test_a_bug_in_one_keeps_no_other_in_place(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, INVERT, LIMIT)
    found = restore(journal, ScriptedExecutor({LIMIT: [KeyError("status")] * 9}), quiet)
    assert len(found.undone) == 1
    assert "(KeyError: 'status')" in found.left[0]


def test_a_watchdog_stays_armed_while_what_it_lifts_is_in_place(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, WATCHDOG, LIMIT, INVERT)
    executor = ScriptedExecutor({LIMIT: [failed()] * 9})
    found = restore(journal, executor, quiet)
    assert WATCHDOG not in executor.undone
    assert found.left[1].startswith("It stays until what it lifts is rolled back: schedule d-us-east-1 ")
    assert [entry.action for entry in journal.read().left] == [WATCHDOG, LIMIT]
    executor = ScriptedExecutor()
    assert restore(journal, executor, quiet).left == ()
    assert executor.undone == [LIMIT, WATCHDOG]


def test_a_watchdog_of_another_function_is_not_kept(tmp_path: Path) -> None:
    other = SetConcurrency("us-west-2", "pay", None)
    journal = journal_of(tmp_path, WATCHDOG, other)
    executor = ScriptedExecutor({other: [failed()] * 9})
    assert len(restore(journal, executor, quiet).left) == 1
    assert WATCHDOG in executor.undone


def test_a_journal_that_cannot_be_written_is_named_and_stops_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, INVERT, LIMIT)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    executor, told = ScriptedExecutor(), list[str]()
    found = restore(FaultJournal(journal.path, sync=full), executor, told.append)
    assert executor.undone == [LIMIT, INVERT]
    assert len(found.undone) == len(found.left) == 2
    assert "No space left on device" in found.left[0]
    assert "`payinfra failover-drill --restore --env demo`" in found.left[0]
    assert found.left[0] in told
    assert len(journal.read().left) == 2


def test_a_journal_whose_folder_was_removed_in_mid_drill_hides_nothing(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, INVERT, LIMIT)
    shutil.rmtree(journal.path.parent)
    executor = ScriptedExecutor({LIMIT: [failed()] * 9})
    found = restore(journal, executor, quiet)
    assert (len(found.undone), len(found.left)) == (1, 1)
    assert restore(journal, ScriptedExecutor(), quiet).left == ()
    journal.close()


# -- any order of failures and kills -----------------------------------------------------------------------

EVERYWHERE: tuple[FaultAction, ...] = (INVERT, LIMIT, SetConcurrency("us-west-2", "pay", 7))
EMBEDDED: tuple[FaultAction, ...] = (
    HoldTimeScale(20.0, "demo/d"),
    SetTimeScale(20.0, 1.0),
    PauseReplication(),
    DARK,
    *EVERYWHERE,
)
ON_AWS: tuple[FaultAction, ...] = (WATCHDOG, RunPauseExperiment(EAST, TABLE, ROLE, 9, "d"), *EVERYWHERE)

LOST = ReadTimeoutError(endpoint_url="https://aws")
DENIED = Refused("AccessDeniedException", 403, "is not authorized to perform: x")
TROUBLES = (None, None, Refused("Throttling"), LOST, DENIED, Killed())


@dataclass(frozen=True)
class Story:
    """What a drill does, and what happens at each call and at each line of its journal."""

    on_aws: bool
    actions: tuple[FaultAction, ...]
    before: tuple[BaseException | None, ...]
    after: tuple[BaseException | None, ...]
    syncs: tuple[BaseException | None, ...]
    torn: int


def troubles(of: Sequence[BaseException | None]) -> st.SearchStrategy[tuple[BaseException | None, ...]]:
    return st.lists(st.sampled_from(of), max_size=25).map(tuple)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    on_aws = draw(st.booleans())
    known = ON_AWS if on_aws else EMBEDDED
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
    answers = (None, None, LOST, Killed())
    lines = (None, None, None, OSError(28, "full"), Killed())
    return Story(
        on_aws,
        tuple(chosen),
        draw(troubles(TROUBLES)),
        draw(troubles(answers)),
        draw(troubles(lines)),
        draw(st.integers(0, 80)),
    )


def unsynced(_descriptor: int) -> None:
    """Nothing: no disk is needed to tell what was written."""


def in_turn(of: Sequence[BaseException | None]) -> Callable[[object], BaseException | None]:
    left: Iterator[BaseException | None] = iter(of)
    return lambda _call: next(left, None)


def executor_on(aws: Aws, world: FakeCloud, *, on_aws: bool) -> AwsFaultExecutor:
    """Hands whose time runs only while they wait."""
    at = [0.0]

    def sleep(seconds: float) -> None:
        at[0] += seconds

    return AwsFaultExecutor(aws, None if on_aws else world.control(), 20.0, 20.0, lambda: at[0], sleep)


def drill(
    journal: FaultJournal, executor: FaultExecutor, actions: Sequence[FaultAction]
) -> Restoration | None:
    """Inject one after the other, restore, close; None where a kill ended it."""
    try:
        try:
            for action in actions:
                number = journal.announce(action)
                executor.inject(action)
                journal.done(number)
        finally:
            found = restore(journal, executor, quiet)
        if not found.left:
            journal.close()
    except Killed:
        return None
    except Exception:  # noqa: BLE001 - a call or a line that failed ends the injection, as it does in a drill
        return found
    return found


@pytest.fixture(scope="module")
def clients() -> dict[bool, FakeCloudAws]:
    """By whether it is AWS."""
    return {True: FakeCloudAws.of(), False: FakeCloudAws.of(HERE)}


@settings(max_examples=100, deadline=None)
@given(story=stories())
def test_whatever_fails_or_kills_all_is_restored_or_in_a_journal_that_restores(
    story: Story, clients: dict[bool, FakeCloudAws], tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = FakeCloud(concurrency={("us-west-2", "pay"): 7})
    aws = clients[story.on_aws]
    aws.world = world
    as_before = world.state()
    drills = tmp_path_factory.mktemp("drills")
    path = FaultJournal.begin(drills / "d", HEADER, sync=unsynced).path

    syncs = in_turn(story.syncs)
    killed_in_line = False

    def sync(_descriptor: int) -> None:
        nonlocal killed_in_line
        trouble = syncs(None)
        if trouble is not None:
            killed_in_line = isinstance(trouble, Killed)
            raise trouble

    world.before, world.after = in_turn(story.before), in_turn(story.after)
    executor = executor_on(aws, world, on_aws=story.on_aws)
    found = drill(FaultJournal(path, sync=sync), executor, story.actions)
    world.before = world.after = lambda _call: None
    if killed_in_line and found is None:
        # The line that was being written is on disk in part, or not at all: nobody had gone on after it.
        whole = path.read_bytes()
        last = whole[:-1].rfind(b"\n") + 1
        path.write_bytes(whole[: max(last, len(whole) - story.torn)])

    # Whoever says that all is restored is right, …
    if found is not None and not found.left:
        assert world.state() == as_before
    # … and what is not as before has a journal that says so …
    if world.state() != as_before:
        assert open_journals(drills) == (path,)
    # … from which all is restored.
    journal = FaultJournal.reopen(path, sync=unsynced)
    assert restore(journal, executor, quiet).left == ()
    assert world.state() == as_before
    journal.close()
    assert open_journals(drills) == ()
    calls = len(world.calls)
    assert restore(journal, executor, quiet) == Restoration((), ())
    assert len(world.calls) == calls


@settings(max_examples=30, deadline=None)
@given(
    on_aws=st.booleans(),
    chosen=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True),
    broken=st.sets(st.integers(0, 4)),
)
def test_what_cannot_be_undone_is_left_and_everything_else_is_not(
    on_aws: bool,
    chosen: list[int],
    broken: set[int],
    clients: dict[bool, FakeCloudAws],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = FakeCloud(concurrency={("us-west-2", "pay"): 7})
    aws = clients[on_aws]
    aws.world = world
    executor = executor_on(aws, world, on_aws=on_aws)
    actions = [(ON_AWS if on_aws else EMBEDDED)[each] for each in chosen]
    journal = FaultJournal.begin(tmp_path_factory.mktemp("drills") / "d", HEADER, sync=unsynced)
    for action in actions:
        number = journal.announce(action)
        executor.inject(action)
        journal.done(number)

    names = [sorted(_changing(action)) for action in actions]
    denied = {name for at, found in zip(chosen, names, strict=True) if at in broken for name in found}
    world.before = lambda call: DENIED if call.name in denied else None
    restore(journal, executor, quiet)
    left = {entry.action for entry in journal.read().left}
    assert left == {one for one in actions if executor.is_active(one)}
    world.before = lambda _call: None
    assert restore(journal, executor, quiet).left == ()


def _changing(action: FaultAction) -> set[str]:
    """The calls that undo it on AWS."""
    match action:
        case InvertHealthCheck():
            return {"Route 53.UpdateHealthCheck"}
        case SetConcurrency(_, _, None):
            return {"Lambda.DeleteFunctionConcurrency"}
        case SetConcurrency():
            return {"Lambda.PutFunctionConcurrency"}
        case RunPauseExperiment():
            return {"fis.StopExperiment"}
        case ArmWatchdog():
            return {"Scheduler.DeleteSchedule"}
        case _:
            return set()
