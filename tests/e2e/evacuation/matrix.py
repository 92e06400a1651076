"""Faults of a region's dependencies, what is expected of the name beforehand, and how that is measured.

Measured on the embedded AWS, end to end: its Lambda runs the function, its Route 53 asks the health pages and
answers for the name, `payinfra status` says whether a person has to decide. What was measured last is kept in
`fault_matrix.json` beside this file, from which a table in docs/scenarios.md is made.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from payinfra.local.faults import (
    Fault,
    RegionBlackout,
    ReplicationPause,
    ServiceDelay,
    ServiceDenial,
    ServiceErrors,
    ServiceThrottling,
)
from tests.e2e.evacuation.conftest import SCALE, Day

FILE = Path(__file__).with_name("fault_matrix.json")
MOVES, STAYS, PERSON = "moves", "must not move", "a person decides"
HELD_S = 18.0
"""How long a fault lasts whose name stays, in real seconds: three minutes for alarms and checkers."""
AFTER_S = 4.0
"""How long the name is watched once it has moved."""
PAUSE_S = 0.4
SLOW = 3.0
"""The scale at which a function has looked three times at its table before the fault is over."""
WITHIN_S = 120.0
LATE_S = 10.0
POLICY = "fault-matrix"
WRITES = ("dynamodb:PutItem", "dynamodb:TransactWriteItems", "dynamodb:UpdateItem")
USES_KEY = ("kms:Decrypt", "kms:GenerateDataKey")
PRIMARY, SECONDARY = "primary", "secondary"


@dataclass(frozen=True)
class Denied:
    """The function of a region may not do something any more, as its role says.

    Attributes:
        role: of the region.
        on: the output that names the resource; empty for whatever it is.
    """

    role: str
    actions: tuple[str, ...]
    on: str = "*"


Injected = Callable[[Day], Fault] | Denied


@dataclass(frozen=True)
class FaultCase:
    """A fault, and what is expected of it.

    Attributes:
        calm: whether alarms of those before must be silent first.
        scale: how many times faster than real time it runs: the function looks every 10 s of real time
            whether its table takes writes.
        each_time: whether every run of the end-to-end tests measures it, and not only `make fault-matrix`.
    """

    what: str
    expected: str
    injected: tuple[Injected, ...]
    calm: bool = False
    scale: float = SCALE
    each_time: bool = False


@dataclass(frozen=True)
class Measured:
    """What a fault did.

    Attributes:
        moved_s: when the name first led elsewhere, in seconds of the embedded AWS's time; None for never.
        refused: of a hundred payments that were sent where the name led at the end, those without a 2xx.
    """

    what: str
    expected: str
    measured: str
    moved_s: int | None
    refused: int


def _dark(day: Day) -> Fault:
    return RegionBlackout(day.primary)


def _paused(_day: Day) -> Fault:
    return ReplicationPause()


def _denial(role: str, service: str) -> Injected:
    return lambda day: ServiceDenial(day.deployment.region(role), service)


def _throttling(role: str, service: str) -> Injected:
    return lambda day: ServiceThrottling(day.deployment.region(role), service)


def _errors(role: str, service: str, percent: int) -> Injected:
    return lambda day: ServiceErrors(day.deployment.region(role), service, percent)


def _late(role: str, service: str) -> Injected:
    return lambda day: ServiceDelay(day.deployment.region(role), service, LATE_S)


CASES = (
    FaultCase("Replication is paused", STAYS, (_paused,)),
    FaultCase("Lambda has 10 % of its capacity in the secondary", STAYS, (_errors(SECONDARY, "lambda", 90),)),
    FaultCase("DynamoDB denies every call in the secondary", STAYS, (_denial(SECONDARY, "dynamodb"),)),
    # Payments get through. But no flag can be read there, and no list be continued: its alarms say so.
    FaultCase(
        "SSM denies every call in the primary", PERSON, (_denial(PRIMARY, "ssm"),), calm=True, each_time=True
    ),
    FaultCase("S3 denies every call in the primary", PERSON, (_denial(PRIMARY, "s3"),), calm=True),
    FaultCase(
        "KMS denies the primary's audit key to the function",
        PERSON,
        (Denied(PRIMARY, USES_KEY, "audit"),),
        calm=True,
    ),
    FaultCase(
        "DynamoDB denies every call in both",
        STAYS,
        (_denial(PRIMARY, "dynamodb"), _denial(SECONDARY, "dynamodb")),
        calm=True,
    ),
    FaultCase("DynamoDB denies every call in the primary", MOVES, (_denial(PRIMARY, "dynamodb"),)),
    FaultCase("DynamoDB throttles every call in the primary", MOVES, (_throttling(PRIMARY, "dynamodb"),)),
    FaultCase("DynamoDB answers no call in the primary in time", MOVES, (_late(PRIMARY, "dynamodb"),)),
    FaultCase("DynamoDB fails 90 % of the primary's calls", MOVES, (_errors(PRIMARY, "dynamodb", 90),)),
    FaultCase(
        "KMS denies the primary's table key to the function", MOVES, (Denied(PRIMARY, USES_KEY, "data"),)
    ),
    FaultCase("Lambda throttles every call in the primary", MOVES, (_throttling(PRIMARY, "lambda"),)),
    FaultCase("Lambda fails every call in the primary", MOVES, (_errors(PRIMARY, "lambda", 100),)),
    FaultCase("The primary answers nothing", MOVES, (_dark,)),
    FaultCase(
        "DynamoDB denies writes in the primary",
        MOVES,
        (Denied(PRIMARY, WRITES),),
        scale=SLOW,
        each_time=True,
    ),
)


def measure(day: Day, case: FaultCase) -> Measured:
    """Put a fault in place, watch where the name leads and whether payments get through, and take it away."""
    if case.calm:
        day.deployment.calm()
    day.deployment.control.set_time_scale(case.scale)
    statuses: list[int] = []
    moved_s: float | None = None
    with _in_place(day, case.injected):
        began = time.monotonic()
        ends = began + HELD_S * SCALE / case.scale
        while time.monotonic() < ends:
            led = day.leads_to()
            if led != day.primary and moved_s is None:
                moved_s = time.monotonic() - began
                ends, statuses = time.monotonic() + AFTER_S, []
            statuses.append(_pay(day, led))
            time.sleep(PAUSE_S)
        moved = day.leads_to() != day.primary
        measured = MOVES if moved else PERSON if _a_person_decides(day) else STAYS
    day.deployment.control.set_time_scale(SCALE)
    day.waits_for(lambda: day.leads_to() == day.primary, WITHIN_S)
    _wait_for_health(day)
    last = statuses[-10:]
    refused = round(100 * sum(one >= 300 for one in last) / len(last))
    return Measured(
        case.what, case.expected, measured, None if moved_s is None else round(moved_s * case.scale), refused
    )


@contextmanager
def _in_place(day: Day, injected: tuple[Injected, ...]) -> Iterator[None]:
    iam, roles = day.deployment.client("iam"), []
    try:
        for one in injected:
            if isinstance(one, Denied):
                roles.append(_role(day, one.role))
                iam.put_role_policy(
                    RoleName=roles[-1], PolicyName=POLICY, PolicyDocument=json.dumps(_denying(day, one))
                )
            else:
                day.deployment.control.inject(one(day))
        yield
    finally:
        day.deployment.control.clear()
        for role in roles:
            iam.delete_role_policy(RoleName=role, PolicyName=POLICY)


def _role(day: Day, role: str) -> str:
    name = day.deployment.output("lambda_function_name", role)
    found = day.deployment.client("lambda", role).get_function_configuration(FunctionName=name)
    return str(found["Role"]).rpartition("/")[2]


def _denying(day: Day, denied: Denied) -> dict[str, object]:
    resource = denied.on
    if resource != "*":
        declared = json.loads(day.deployment.outputs["declared"])
        keys = next(
            one["keys"] for one in declared["regions"] if one["region"] == day.deployment.region(denied.role)
        )
        resource = keys[denied.on]
    statement = {"Effect": "Deny", "Action": list(denied.actions), "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _pay(day: Day, region: str) -> int:
    try:
        return day.pay(region, timeout=5).status_code
    except httpx.TransportError:
        return 599


def _a_person_decides(day: Day) -> bool:
    words = ("status", "--env", day.deployment.env, "--local", "--format", "json")
    said = json.loads(day.deployment.project.run(*words).stdout)
    return any(step.startswith("A person decides") for step in said["next_steps"])


def _wait_for_health(day: Day) -> None:
    """Until both regions' checkers have seen them well, as often as it takes to change their minds."""
    well_since: list[float] = []

    def well() -> bool:
        ends = [day.endpoint(one) for one in (day.primary, day.secondary)]
        pages = [one.removesuffix("payments") + "health" for one in ends]
        if any(httpx.get(page, timeout=30).status_code != 200 for page in pages):
            well_since.clear()
            return False
        well_since.append(time.monotonic())
        return well_since[-1] - well_since[0] > 5 * 10 / SCALE

    day.waits_for(well, WITHIN_S)


def mend_audit(day: Day) -> None:
    """Have the audit objects written that were not while S3 was out of reach: `verify` asks for them."""
    words = ("audit", "reconcile", "--env", day.deployment.env, "--local")
    day.deployment.project.run(*words)
    found = day.deployment.project.run(*words, "--dry-run")
    assert found.returncode == 0, found.stdout + found.stderr


def kept() -> tuple[Measured, ...]:
    """What was measured last."""
    return tuple(Measured(**one) for one in json.loads(FILE.read_text(encoding="utf-8")))


def keep(measured: tuple[Measured, ...]) -> None:
    """Keep it for the page."""
    FILE.write_text(json.dumps([asdict(one) for one in measured], indent=1) + "\n", encoding="utf-8")
