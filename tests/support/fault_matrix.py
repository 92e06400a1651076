"""What a fault of each dependency does to the name: expected beforehand, and measured.

Measured in simulated time: the function's own code in two regions, with AWS answered in this process, asked
by checkers that conclude by Route 53's rules; the embedded AWS's own rules say where the name leads. What was
measured is kept in `fault_matrix.json` beside this file, from which the table in docs/scenarios.md is made.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from botocore.exceptions import ReadTimeoutError

from bench.aws_in_process import RefusedCall
from payinfra.checks.probes.health_checks import HEALTHY_SHARE
from payinfra.deployment.guidance import next_steps
from payinfra.deployment.names import NameStatus
from payinfra.deployment.status import RegionStatus, Status
from payinfra.drill.observers import CheckerState
from payinfra.local.server.route53.answers import Circumstances, answer
from payinfra.local.server.route53.state import Failover, RecordSet, Zone
from tests.unit.payments.conftest import Site

FILE = Path(__file__).with_suffix(".json")
EAST, WEST = "us-east-1", "us-west-2"
HERE, BOTH, SURVIVOR = (EAST,), (EAST, WEST), (WEST,)
NAME, APEX = "failover.example.", "example."
CHECKERS, INTERVAL_S, THRESHOLD = 8, 10, 3
PAGE_INTERVAL_S = 30
"""Between two looks of one checker at the page on an evacuation (`payinfra.stacks.routing`)."""
BEFORE_S, HELD_S = 30, 210
TABLE = ("Query", "PutItem", "TransactWriteItems", "UpdateItem")
WRITES = ("PutItem", "TransactWriteItems", "UpdateItem")
AUDIT, SSM, LAMBDA = ("PutObject",), ("GetParameter",), ("Invoke",)
MINUTE_S = 60


class Effect(StrEnum):
    """What becomes of the name."""

    MOVES = "moves"
    STAYS = "must not move"
    PERSON = "a person decides"


@dataclass(frozen=True)
class Injected:
    """What one dependency does.

    Attributes:
        where: in which regions.
        operations: of which calls; `Invoke` is the function itself.
        code: of the error that answers; empty for no answer in time.
        percent: of a hundred calls, those that fail so.
    """

    where: tuple[str, ...]
    operations: tuple[str, ...]
    code: str = ""
    percent: int = 100


@dataclass(frozen=True)
class FaultCase:
    """A fault, and what is expected of it."""

    dependency: str
    what: str
    expected: Effect
    faults: tuple[Injected, ...]


DENIED, THROTTLED, FAILED = "AccessDeniedException", "ThrottlingException", "InternalServerError"
MOVES, STAYS, PERSON = Effect.MOVES, Effect.STAYS, Effect.PERSON
DYNAMODB, KMS, S3, FUNCTION = "DynamoDB", "KMS", "S3", "Lambda"
SMALL = Injected(SURVIVOR, LAMBDA, percent=90)
CASES = (
    FaultCase(DYNAMODB, "denies writes in the primary", MOVES, (Injected(HERE, WRITES, DENIED),)),
    FaultCase(DYNAMODB, "denies every call in the primary", MOVES, (Injected(HERE, TABLE, DENIED),)),
    FaultCase(DYNAMODB, "throttles every call in the primary", MOVES, (Injected(HERE, TABLE, THROTTLED),)),
    FaultCase(DYNAMODB, "answers no call in the primary in time", MOVES, (Injected(HERE, TABLE),)),
    FaultCase(DYNAMODB, "fails 90 % of the primary's writes", MOVES, (Injected(HERE, WRITES, FAILED, 90),)),
    FaultCase(DYNAMODB, "fails 20 % of the primary's writes", PERSON, (Injected(HERE, WRITES, FAILED, 20),)),
    FaultCase(DYNAMODB, "denies writes in both", STAYS, (Injected(BOTH, WRITES, DENIED),)),
    FaultCase(DYNAMODB, "denies writes in the secondary", STAYS, (Injected(SURVIVOR, WRITES, DENIED),)),
    FaultCase(KMS, "denies the primary's table key to DynamoDB", MOVES, (Injected(HERE, TABLE, DENIED),)),
    FaultCase(KMS, "denies the primary's audit key to S3", PERSON, (Injected(HERE, AUDIT, DENIED),)),
    FaultCase(S3, "denies every call in the primary", PERSON, (Injected(HERE, AUDIT, "AccessDenied"),)),
    FaultCase(S3, "answers no call in the primary in time", PERSON, (Injected(HERE, AUDIT),)),
    FaultCase(S3, "throttles every call in both", PERSON, (Injected(BOTH, AUDIT, "SlowDown"),)),
    FaultCase("SSM", "denies every call in the primary", PERSON, (Injected(HERE, SSM, DENIED),)),
    FaultCase(FUNCTION, "throttles every call in the primary", MOVES, (Injected(HERE, LAMBDA),)),
    FaultCase(FUNCTION, "throttles every call in both", PERSON, (Injected(BOTH, LAMBDA),)),
    FaultCase(FUNCTION, "has 10 % of its capacity in the secondary", STAYS, (SMALL,)),
    FaultCase(
        FUNCTION,
        "throttles the primary, and has 10 % of its capacity in the secondary",
        PERSON,
        (Injected(HERE, LAMBDA), SMALL),
    ),
)


@dataclass(frozen=True)
class Measured:
    """What a fault did.

    Attributes:
        moved_s: when the name first led elsewhere, in seconds after the fault; None if it never did.
        leads_to: where it leads at the end.
        refused: of a hundred payments in the last minute, those that got no 2xx.
        alarms: the region's own alarms on payments that rang at the end, by region.
    """

    dependency: str
    what: str
    expected: str
    measured: str
    moved_s: int | None
    leads_to: str
    refused: int
    alarms: Mapping[str, list[str]] = field(default_factory=dict)


class _Failing:
    """Fails so many of a hundred calls, evenly spread, as the embedded AWS does."""

    def __init__(self, injected: Injected) -> None:
        self._injected = injected
        self._calls = 0

    def hits(self) -> bool:
        before, self._calls = self._calls, self._calls + 1
        return self._calls * self._injected.percent // 100 > before * self._injected.percent // 100

    def __call__(self, operation: str) -> None:
        if operation not in self._injected.operations or not self.hits():
            return
        if self._injected.code:
            status = 500 if self._injected.code == FAILED else 400
            raise RefusedCall(self._injected.code, status)
        raise ReadTimeoutError(endpoint_url="https://example")


@dataclass
class _Region:
    """A region as its checkers and its clients see it."""

    site: Site
    invoked: list[_Failing] = field(default_factory=list)
    checkers: list[CheckerState] = field(default_factory=lambda: [CheckerState() for _ in range(CHECKERS)])
    answers: list[tuple[int, int]] = field(default_factory=list)
    events: list[tuple[int, str]] = field(default_factory=list)
    _read: int = 0

    def follow(self, second: int) -> None:
        """Take in what the function has counted since it was asked last."""
        text = self.site.log.getvalue()
        new, self._read = text[self._read :], len(text)
        for line in new.splitlines():
            self.events += ((second, event) for event in json.loads(line).get("events", ()))

    def runs(self) -> bool:
        """Whether Lambda takes this call."""
        hit = [one.hits() for one in self.invoked]
        return not any(hit)

    def check(self, second: int) -> None:
        """Whichever checkers are due ask the health page, and whether the other region is evacuated."""
        for number, checker in enumerate(self.checkers):
            if second % PAGE_INTERVAL_S == number and self.runs():
                self.site.request("GET", "/evacuation")
            if second % INTERVAL_S == number:
                ok = self.runs() and self.site.request("GET", "/health").status == 200
                checker.take(second, ok, THRESHOLD)

    @property
    def healthy(self) -> bool:
        """Route 53's conclusion."""
        return sum(one.healthy for one in self.checkers) / CHECKERS > HEALTHY_SHARE

    def pay(self, second: int) -> None:
        """A customer pays once."""
        status = self.site.pay(f"order-{second}", customer_id="c").status if self.runs() else 500
        self.answers.append((second, status))


def measure(case: FaultCase, east: Site, west: Site) -> Measured:
    """Inject a fault after half a healthy minute, hold it, and see where the name leads."""
    regions = {EAST: _Region(east), WEST: _Region(west)}
    start_ms = east.clock.now_ms
    moved_s: int | None = None
    with _released(east, west):
        for second in range(BEFORE_S + HELD_S):
            east.clock.now_ms = west.clock.now_ms = start_ms + second * 1000
            if second == BEFORE_S:
                _inject(case, regions)
            for region in regions.values():
                region.check(second)
                region.follow(second)
            leads_to = where_it_leads(regions[EAST].healthy, regions[WEST].healthy)
            if leads_to != EAST and moved_s is None:
                moved_s = second - BEFORE_S
            regions[leads_to].pay(second)
            regions[leads_to].follow(second)
    alarms = {name: _alarms(region) for name, region in regions.items()}
    last = [
        status
        for region in regions.values()
        for second, status in region.answers
        if second >= BEFORE_S + HELD_S - MINUTE_S
    ]
    refused = round(100 * sum(status >= 300 for status in last) / len(last))
    measured = _effect(leads_to, moved_s, alarms, regions)
    return Measured(
        case.dependency, case.what, case.expected.value, measured.value, moved_s, leads_to, refused, alarms
    )


@contextmanager
def _released(*sites: Site) -> Iterator[None]:
    try:
        yield
    finally:
        for site in sites:
            site.region.allow()


def _inject(case: FaultCase, regions: Mapping[str, _Region]) -> None:
    for fault in case.faults:
        for name in fault.where:
            failing = _Failing(fault)
            if fault.operations == LAMBDA:
                regions[name].invoked.append(failing)
            else:
                regions[name].site.region.before = failing


def where_it_leads(east: bool, west: bool) -> str:
    """Where Route 53 leads the failover name with these two conclusions."""

    def record(region: str, role: Failover) -> RecordSet:
        return RecordSet(
            NAME, "CNAME", 60, (f"{region}.",), set_identifier=region, failover=role, health_check_id=region
        )

    records = (record(EAST, Failover.PRIMARY), record(WEST, Failover.SECONDARY))
    healthy = {EAST: east, WEST: west}
    around = Circumstances(is_healthy=healthy.__getitem__, client_region=EAST, pick=lambda _number: 0)
    said = answer(Zone("Z", APEX, False, records), NAME, "CNAME", around)
    return said.records[0].value.rstrip(".")


def _effect(
    leads_to: str, moved_s: int | None, alarms: Mapping[str, list[str]], regions: Mapping[str, _Region]
) -> Effect:
    if leads_to != EAST:
        return Effect.MOVES

    def status(name: str, role: str) -> RegionStatus:
        region = regions[name]
        healthy = sum(one.healthy for one in region.checkers)
        mine = tuple(alarms[name])
        return RegionStatus(name, role, "", CHECKERS, healthy, mine, (), service_alarms=mine)

    names = (NameStatus(NAME, (leads_to,)),)
    both = (status(EAST, "primary"), status(WEST, "secondary"))
    steps = next_steps(Status("e", "local", both, NAME, None, names=names), lambda command: command)
    return Effect.PERSON if any(one.startswith("A person decides") for one in steps) else Effect.STAYS


def _alarms(region: _Region) -> list[str]:
    """The alarms on payments that the last three minutes ring, by the stack's thresholds."""
    end = BEFORE_S + HELD_S
    minutes = [range(end - MINUTE_S * (back + 1), end - MINUTE_S * back) for back in range(3)]

    def counted(event: str) -> list[int]:
        return [
            sum(1 for second, name in region.events if name == event and second in minute)
            for minute in minutes
        ]

    def rate(minute: range) -> float:
        mine = [status for second, status in region.answers if second in minute]
        return sum(status >= 500 for status in mine) / len(mine) if mine else 0.0

    rings: Mapping[str, Callable[[], bool]] = {
        "audit-failures": lambda: counted("AuditWriteFailed")[0] >= 1,
        "dependency-unavailable": lambda: sum(one >= 5 for one in counted("DependencyUnavailable")) >= 2,
        "api-server-errors": lambda: sum(rate(minute) >= 0.01 for minute in minutes) >= 2,
    }
    return [name for name, ring in rings.items() if ring()]


def kept() -> tuple[Measured, ...]:
    """What was measured last."""
    return tuple(Measured(**one) for one in json.loads(FILE.read_text(encoding="utf-8")))


def keep(measured: tuple[Measured, ...]) -> None:
    """Keep it for the page."""
    FILE.write_text(json.dumps([asdict(one) for one in measured], indent=1) + "\n", encoding="utf-8")
