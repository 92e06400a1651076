"""What speaks against a drill before it begins."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.evacuation import EvacuationFlag
from payinfra.core.outputs import DeclaredAlarm, DeclaredEvacuation, DeclaredLimits, Outputs
from payinfra.drill.faults.journal import FILE, FaultJournal, Header
from payinfra.drill.model import Doubt, DrillRequest
from payinfra.drill.preconditions import failed_preconditions, gather, require
from payinfra.drill.situation import FailedPrecondition, RegionState, Situation
from payinfra.local.faults import RegionBlackout
from tests.support.drilled import FakeCloud
from tests.unit.checks.probes.conftest import declared, error, outputs

EAST, WEST = "us-east-1", "us-west-2"
FIVE_A_SECOND = DrillRequest()
ACCOUNT = "123456789012"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/payment-demo-payments"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def state(region: str) -> RegionState:
    return RegionState(region, False, False, None, "demo", "demo")


WELL = Situation(ACCOUNT, (state(EAST), state(WEST)))


def against(
    situation: Situation, request: DrillRequest = FIVE_A_SECOND, **more: Any
) -> tuple[FailedPrecondition, ...]:
    said: Outputs = more.get("outputs", outputs())
    return failed_preconditions(
        situation,
        request,
        said,
        target=more.get("target", "aws"),
        predicted_s=more.get("predicted_s", 90.0),
        busy=more.get("busy", ()),
    )


def west(**changes: Any) -> Situation:
    """All is well but this in the secondary."""
    return replace(WELL, regions=(state(EAST), replace(state(WEST), **changes)))


def limits(rate: float, burst: int, daily_quota: int) -> Outputs:
    return replace(
        outputs(), declared_json=declared(limits=DeclaredLimits(rate, burst, daily_quota)).to_json()
    )


def test_nothing_speaks_against_a_drill_where_all_is_well() -> None:
    assert against(WELL) == ()
    require(())


@pytest.mark.parametrize(
    ("situation", "says", "next_step"),
    [
        (
            replace(WELL, ringing=("errors in us-east-1", "health in us-east-1")),
            "It would be inconclusive while alarms ring: errors in us-east-1, health in us-east-1.",
            "wait until they are OK",
        ),
        (
            replace(WELL, missing=("errors in us-west-2",)),
            "Declared alarms are not there: errors in us-west-2.",
            "Deploy environment demo again",
        ),
        (
            replace(WELL, faults=("us-east-1 answers nothing",)),
            "The embedded AWS has faults in place: us-east-1 answers nothing.",
            "`payinfra local fault clear --all`",
        ),
        (
            west(concurrency=0),
            "The function in us-west-2 may not run: its reserved concurrency is 0.",
            "Deploy environment demo again",
        ),
        (
            replace(WELL, evacuated=(EAST,)),
            "us-east-1 is evacuated: its names lead elsewhere whatever the drill does.",
            "`payinfra return us-east-1 --env demo`",
        ),
        (west(inverted=True), "The health check of us-west-2 is inverted already.", "Deploy"),
        (west(disabled=True), "The health check of us-west-2 is disabled already.", "Deploy"),
        (
            west(table_env="prod"),
            "arn:aws:dynamodb:us-west-2:123456789012:table/payment-demo-payments has the tag Environment "
            "'prod', not 'demo'.",
            "deploy the environment again",
        ),
        (
            west(function_env=""),
            "arn:aws:lambda:us-west-2:123456789012:function:payment-demo-payments has no tag Environment, "
            "not 'demo'.",
            "deploy the environment again",
        ),
    ],
)
def test_what_speaks_against_a_drill_is_said_with_the_next_step(
    situation: Situation, says: str, next_step: str
) -> None:
    (found,) = against(situation)
    assert found.what == says
    assert next_step in found.hint


def test_a_busy_machine_is_named_where_alarms_ring_and_nowhere_else() -> None:
    busy = (Doubt("The machine was busy.", "Wait."),)
    (found,) = against(replace(WELL, ringing=("latency in us-east-1",)), busy=busy)
    assert (
        found.what
        == "It would be inconclusive while alarms ring: latency in us-east-1. The machine was busy."
    )
    assert found.hint == "Let the machine have less to do, and wait until they are OK."
    assert against(WELL, busy=busy) == ()


def test_an_open_journal_names_the_command_that_restores() -> None:
    open_ = replace(WELL, journals=(Path("drills/d1") / FILE, Path("drills/d2") / FILE))
    (found,) = against(open_, target="local")
    assert found.what == "A drill before may have left something in place: d1, d2."
    assert found.hint == "Run `payinfra failover-drill --restore --env demo --local`."
    assert against(open_)[0].hint == "Run `payinfra failover-drill --restore --env demo`."


def test_credentials_of_another_account_are_refused_for_every_arn() -> None:
    found = against(replace(WELL, account="999999999999"))
    assert len(found) == 4
    assert found[0].what == f"The credentials are account 999999999999's, and {TABLE} is not."


@pytest.mark.parametrize(
    ("rate", "limit", "fits"),
    [
        (5.0, (10.0, 10, 10_000), True),
        (5.1, (10.0, 11, 10_000), False),
        (5.0, (9.9, 10, 10_000), False),
        (5.0, (10.0, 9, 10_000), False),
        (4.6, (10.0, 10, 10_000), True),
    ],
)
def test_the_rate_with_its_retries_must_fit_what_the_api_lets_through(
    rate: float, limit: tuple[float, int, int], fits: bool
) -> None:
    found = against(WELL, DrillRequest(rate=rate), outputs=limits(*limit))
    assert (found == ()) is fits
    if not fits:
        assert f"{rate:g} payments a second may become {2 * rate:g} requests" in found[0].what


def test_a_rate_that_is_too_high_is_answered_with_one_that_is_not() -> None:
    (found,) = against(WELL, DrillRequest(rate=500.0), predicted_s=1.0)
    assert "Give a --rate of 50 or less" in found.hint
    assert against(WELL, DrillRequest(rate=50.0), predicted_s=1.0) == ()


def test_the_whole_drill_must_fit_the_daily_quota() -> None:
    assert against(WELL, predicted_s=90.0, outputs=limits(100, 200, 900)) == ()
    (found,) = against(WELL, predicted_s=90.0, outputs=limits(100, 200, 899))
    assert found.what == (
        "The drill may send 900 requests in 90 s. Of the API key's quota of 899 a day 899 are left."
    )
    assert found.hint.startswith("Give a --rate of 4.99 or less")


def test_what_was_used_today_is_not_there_any_more() -> None:
    used = replace(WELL, used_today=600)
    (found,) = against(used, predicted_s=90.0, outputs=limits(100, 200, 1000))
    assert "Of the API key's quota of 1000 a day 400 are left." in found.what
    assert against(used, predicted_s=40.0, outputs=limits(100, 200, 1000)) == ()
    assert "0 are left" in against(replace(used, used_today=1200), outputs=limits(100, 200, 1000))[0].what


def test_everything_that_speaks_against_it_is_said_at_once() -> None:
    bad = replace(west(concurrency=0, inverted=True), ringing=("errors in us-east-1",))
    with pytest.raises(GateFailed) as refused:
        require(against(bad))
    assert refused.value.what.startswith(
        "The drill does not begin. It would be inconclusive while alarms ring: errors in us-east-1. The fun"
    )
    assert "is inverted already." in refused.value.what
    # The same step once.
    assert refused.value.hint.count("Deploy environment demo again") == 1


# -- looking -----------------------------------------------------------------------------------------------


@dataclass
class Account:
    """What AWS answers."""

    alarms: dict[tuple[str, str], str] = field(
        default_factory=lambda: {
            (EAST, "errors"): "OK",
            (WEST, "errors"): "OK",
            (EAST, "health-us-east-1"): "OK",
            (EAST, "health-us-west-2"): "OK",
        }
    )
    tags: dict[str, str] = field(default_factory=lambda: {"Environment": "demo", "Project": "x"})
    check: dict[str, object] = field(default_factory=dict)
    concurrency: dict[str, int] = field(default_factory=dict)
    fails: dict[str, Exception] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)

    def describe_alarms(self, region: str, **call: Any) -> Any:
        assert len(call["AlarmNames"]) <= call["MaxRecords"] == 100
        assert call["AlarmTypes"] == ["MetricAlarm"]
        found = [(name, self.alarms.get((region, name))) for name in call["AlarmNames"]]
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": value} for name, value in found if value]}

    def get_health_check(self, _region: str, **call: Any) -> Any:
        assert call["HealthCheckId"] in ("check-us-east-1", "check-us-west-2")
        return {"HealthCheck": {"HealthCheckConfig": {"Type": "HTTPS", **self.check}}}

    def get_function_concurrency(self, region: str, **call: Any) -> Any:
        assert call == {"FunctionName": "payment-demo-payments"}
        return (
            {"ReservedConcurrentExecutions": self.concurrency[region]} if region in self.concurrency else {}
        )

    def list_tags(self, region: str, **call: Any) -> Any:
        assert call == {"Resource": f"arn:aws:lambda:{region}:123456789012:function:payment-demo-payments"}
        return {"Tags": self.tags}

    def list_tags_of_resource(self, region: str, **call: Any) -> Any:
        assert call == {"ResourceArn": f"arn:aws:dynamodb:{region}:123456789012:table/payment-demo-payments"}
        return [{"Tags": [{"Key": key, "Value": value}]} for key, value in reversed(self.tags.items())]

    def get_usage(self, region: str, **call: Any) -> Any:
        assert call["startDate"] == call["endDate"]
        if region not in self.used:
            return [{}]
        return [{"items": {"key-1": [[self.used[region], 9]]}}, {"items": {"key-2": [[1, 9]]}}]

    def get_parameter(self, region: str, **call: Any) -> Any:
        assert call == {"Name": "/payment-demo/evacuated"}
        return {"Parameter": {"Value": self.flags.get(region, "{}")}}

    def get_caller_identity(self, _region: str) -> Any:
        return {"Account": ACCOUNT}


@dataclass(frozen=True)
class Client:
    """One client of it."""

    account: Account
    region: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**asked: Any) -> Any:
            self.account.asked.append(operation)
            if operation in self.account.fails:
                raise self.account.fails[operation]
            return getattr(self.account, operation)(self.region, **asked)

        return call

    def get_paginator(self, operation: str) -> Any:
        return Pages(getattr(self, operation))


@dataclass(frozen=True)
class Pages:
    paginate: Callable[..., Any]


@dataclass(frozen=True)
class AccountAws(Aws):
    """Clients of an account."""

    of: Account = field(default_factory=Account)

    def client(self, service: str, region: str) -> Any:
        return Client(self.of, region)


def test_an_environment_where_all_is_well_is_seen_so(tmp_path: Path) -> None:
    assert gather(outputs(), AccountAws(), None, tmp_path / "drills") == WELL


def test_what_the_keys_used_today_is_that_of_the_busier_region(tmp_path: Path) -> None:
    found = gather(outputs(), AccountAws(of=Account(used={EAST: 40, WEST: 70})), None, tmp_path / "drills")
    assert found.used_today == 71


def test_an_evacuated_region_is_seen(tmp_path: Path) -> None:
    evacuation = DeclaredEvacuation(
        page="/prod/evacuation",
        parameter="/payment-demo/evacuated",
        interval_s=30,
        threshold=2,
        serving_checks=("a", "b"),
        flag_checks=("c", "d"),
        name_servers="ns-1.example",
    )
    declared = replace(outputs().declared, evacuation=evacuation)
    flag = EvacuationFlag(EAST, "2026-03-01T03:12:45+00:00", "alice")
    account = AccountAws(of=Account(flags={WEST: flag.to_json()}))
    found = gather(replace(outputs(), declared_json=declared.to_json()), account, None, tmp_path / "drills")
    assert found.evacuated == (EAST,)
    ended = replace(flag, drill="drill-1", until="2026-03-01T03:20:00+00:00")
    account = AccountAws(of=Account(flags={WEST: ended.to_json()}))
    found = gather(replace(outputs(), declared_json=declared.to_json()), account, None, tmp_path / "drills")
    assert found.evacuated == (), "a drill's flag has ended by itself"


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    header = Header("d1", "demo", "local", ACCOUNT, (EAST, WEST), ("region-outage",), AT, "payinfra")
    journal = FaultJournal.begin(tmp_path / "d1", header)
    world = FakeCloud()
    world.board.inject(RegionBlackout(WEST))
    world.scale.hold("other/d", 20)
    account = Account(
        tags={"Project": "x"}, check={"Inverted": True, "Disabled": True}, concurrency={WEST: 0}
    )
    account.alarms |= {(EAST, "errors"): "INSUFFICIENT_DATA", (EAST, "health-us-east-1"): "ALARM"}
    del account.alarms[WEST, "errors"]
    found = gather(outputs(), AccountAws(of=account), world.control(), tmp_path)
    assert found == Situation(
        ACCOUNT,
        (RegionState(EAST, True, True, None, "", ""), RegionState(WEST, True, True, 0, "", "")),
        ringing=("health-us-east-1 in us-east-1",),
        missing=("errors in us-west-2",),
        journals=(journal.path,),
        faults=("us-west-2 answers nothing",),
        time_scale_holds={"other/d": 20.0},
    )


def test_a_drill_elsewhere_that_sets_another_time_scale_speaks_against_it() -> None:
    held = replace(WELL, time_scale_holds={"other/d": 20.0})
    (found,) = against(held, replace(FIVE_A_SECOND, time_scale=10.0))
    assert "The drill other/d makes this embedded AWS's time run 20 times as fast as real." in found.what
    assert against(held, replace(FIVE_A_SECOND, time_scale=20.0)) == ()


def test_more_alarms_than_one_call_takes_are_asked_for_in_several(tmp_path: Path) -> None:
    alarms = tuple(DeclaredAlarm(f"alarm-{at}", "AWS/Lambda", "Errors", 1.0) for at in range(150))
    east, there = declared().regions
    many = declared(regions=(replace(east, alarms=alarms), there))
    account = Account()
    account.alarms |= {(EAST, alarm.name): "OK" for alarm in alarms} | {(EAST, "alarm-149"): "ALARM"}
    found = gather(replace(outputs(), declared_json=many.to_json()), AccountAws(of=account), None, tmp_path)
    assert (found.ringing, found.missing) == (("alarm-149 in us-east-1",), ())
    assert account.asked.count("describe_alarms") == 4


@pytest.mark.parametrize(
    "operation",
    [
        "describe_alarms",
        "get_usage",
        "get_health_check",
        "get_function_concurrency",
        "list_tags",
        "list_tags_of_resource",
    ],
)
def test_what_cannot_be_told_lets_no_drill_begin(operation: str, tmp_path: Path) -> None:
    denied = error("AccessDenied", f"is not authorized to perform: x:{operation}", status=403)
    account = Account(fails={operation: denied})
    with pytest.raises(EnvironmentUnusable, match="access denied") as refused:
        gather(outputs(), AccountAws(of=account), None, tmp_path)
    assert "docs/scenarios.md" in refused.value.hint


def test_without_credentials_no_drill_begins(tmp_path: Path) -> None:
    account = Account(fails={"get_caller_identity": NoCredentialsError()})
    with pytest.raises(EnvironmentUnusable, match="No AWS credentials found"):
        gather(outputs(), AccountAws(of=account), None, tmp_path)
