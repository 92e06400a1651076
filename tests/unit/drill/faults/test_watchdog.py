"""What outside of the drill's process would lift its fault, or why nothing would."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError

from payinfra.core.naming import DRILL_SCHEDULER_ROLE
from payinfra.drill.faults.executor import AwsFaultExecutor
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.faults.lambda_throttle import ArmWatchdog
from payinfra.drill.faults.watchdog import NOT_NEEDED, arm
from tests.support.drilled import EAST, WEST, Call, FakeCloud, FakeCloudAws, Refused

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROLE = f"arn:aws:iam::123456789012:role/{DRILL_SCHEDULER_ROLE}"
DRILL = "20260102T030405Z-1a2b"
WATCHDOG = ArmWatchdog(EAST, f"{DRILL}-{EAST}", "pay", 7, AT, ROLE)


@pytest.fixture(scope="module")
def aws() -> FakeCloudAws:
    return FakeCloudAws.of()


@pytest.fixture
def journal(tmp_path: Path) -> FaultJournal:
    header = Header(DRILL, "demo", "aws", "123456789012", (EAST, WEST), ("lambda-throttle",), AT, "payinfra")
    return FaultJournal.begin(tmp_path / DRILL, header)


def executor(aws: FakeCloudAws) -> tuple[FakeCloud, AwsFaultExecutor]:
    aws.world = FakeCloud()
    return aws.world, AwsFaultExecutor(aws, within_s=0.0)


def test_it_is_armed_and_in_the_journal(aws: FakeCloudAws, journal: FaultJournal) -> None:
    world, ours = executor(aws)
    assert arm([WATCHDOG], journal, ours) == (
        f"armed: schedule {DRILL}-us-east-1 in us-east-1 gives function pay a reserved concurrency of 7 at "
        "2026-01-02 03:04:05 UTC"
    )
    assert list(world.schedules) == [(EAST, WATCHDOG.name)]
    (entry,) = journal.read().entries
    assert (entry.action, entry.done, entry.undone) == (WATCHDOG, True, False)


def test_it_is_in_the_journal_before_it_is_made(aws: FakeCloudAws, journal: FaultJournal) -> None:
    world, ours = executor(aws)
    known: list[int] = []
    world.before = lambda _call: known.append(len(journal.read().left))
    arm([WATCHDOG], journal, ours)
    assert set(known) == {1}


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (
            Refused("AccessDeniedException", 403, "is not authorized to perform: scheduler:CreateSchedule"),
            "access denied: the caller lacks scheduler:CreateSchedule",
        ),
        (Refused("ValidationException", 400, "The role must allow it."), "The role must allow it."),
        (Refused("ResourceNotFoundException", 404, "Group does not exist."), "Group does not exist."),
    ],
    ids=["permission", "role", "group"],
)
def test_without_permission_role_or_group_the_drill_goes_on_and_says_why(
    refusal: Refused, why: str, aws: FakeCloudAws, journal: FaultJournal
) -> None:
    world, ours = executor(aws)
    world.before = lambda call: refusal if call.name == "Scheduler.CreateSchedule" else None
    says = arm([WATCHDOG], journal, ours)
    assert says.startswith("none: ")
    assert why in says
    assert "`payinfra bootstrap --drills`" in says
    # It was refused, so there is nothing to take back.
    assert journal.read().left == ()


def test_one_of_which_nobody_knows_stays_in_the_journal(aws: FakeCloudAws, journal: FaultJournal) -> None:
    world, ours = executor(aws)

    def lost(call: Call) -> BaseException | None:
        return ReadTimeoutError(endpoint_url="https://aws") if call.changes else None

    world.after = lost
    assert arm([WATCHDOG], journal, ours).startswith("none: no answer")
    (left,) = journal.read().left
    assert (left.action, left.done) == (WATCHDOG, False)


def test_none_is_needed_where_nothing_is_taken_away(aws: FakeCloudAws, journal: FaultJournal) -> None:
    _, ours = executor(aws)
    assert arm([], journal, ours) == NOT_NEEDED
    assert journal.read().entries == ()
