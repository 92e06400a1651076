"""What a drill changes, on disk and in words."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.faults.actions import FaultAction, HoldTimeScale, SetTimeScale
from payinfra.drill.faults.fail_back import HoldFailBack
from payinfra.drill.faults.health_check import InvertHealthCheck, SetUnhealthy
from payinfra.drill.faults.lambda_throttle import ArmWatchdog, SetConcurrency
from payinfra.drill.faults.model import role_arn
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.registry import action_from_json, action_to_json
from payinfra.drill.faults.replication_pause import PauseReplication, RunPauseExperiment
from tests.unit.checks.probes.conftest import outputs

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/payment-demo-payments"
ROLE = "arn:aws:iam::123456789012:role/payinfra-drill-fis"
HERE = Endpoints({"us-east-1": "http://127.0.0.1:4566"}, "http://127.0.0.1:4560")
text = st.text(min_size=1, max_size=20)
originals = st.none() | st.integers(0, 1000)
scales = st.floats(0.1, 1000)
any_action = st.one_of(
    st.builds(InvertHealthCheck, text, st.booleans()),
    st.builds(SetConcurrency, text, text, originals),
    st.builds(SetUnhealthy, text, st.booleans(), st.booleans()),
    st.just(PauseReplication()),
    st.builds(RunPauseExperiment, text, text, text, st.integers(1, 720), text),
    st.builds(Blackout, text),
    st.builds(SetTimeScale, scales, scales),
    st.builds(HoldTimeScale, scales, text),
    st.builds(HoldFailBack, text, text, text, st.datetimes(timezones=st.just(UTC))),
    st.builds(ArmWatchdog, text, text, text, originals, st.datetimes(timezones=st.just(UTC)), text),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(any_action)
def test_what_the_journal_keeps_is_read_back_as_it_was(action: FaultAction) -> None:
    assert action_from_json(action_to_json(action)) == action


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"kind": "burn-down"}, "burn-down"),
        ("blackout", "blackout"),
        ({"kind": "blackout"}, "an action blackout lacks a good region"),
        ({"kind": "blackout", "region": 7}, "region"),
        (
            {"kind": "set-concurrency", "region": "r", "function": "f", "original": "7"},
            "set-concurrency lacks a good original",
        ),
    ],
)
def test_what_is_no_action_is_refused_and_named(value: object, named: str) -> None:
    with pytest.raises(EnvironmentUnusable) as refused:
        action_from_json(value)
    assert named.lower() in refused.value.what.lower()
    assert "by hand" in refused.value.hint


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "done", "undone", "by_hand"),
    [
        (
            InvertHealthCheck("hc-1", original=False),
            "health check hc-1 is inverted",
            "health check hc-1 is not inverted again",
            "aws route53 update-health-check --health-check-id hc-1 --no-inverted --region us-east-1",
        ),
        (
            InvertHealthCheck("hc-1", original=True),
            "health check hc-1 is not inverted",
            "health check hc-1 is inverted again",
            "aws route53 update-health-check --health-check-id hc-1 --inverted --region us-east-1",
        ),
        (
            SetConcurrency("us-east-1", "pay", None),
            "function pay in us-east-1 may not run: its reserved concurrency is 0",
            "function pay in us-east-1 has no reserved concurrency again",
            "aws lambda delete-function-concurrency --function-name pay --region us-east-1",
        ),
        (
            SetConcurrency("us-east-1", "pay", 7),
            "function pay in us-east-1 may not run: its reserved concurrency is 0",
            "function pay in us-east-1 has a reserved concurrency of 7 again",
            "aws lambda put-function-concurrency --function-name pay --reserved-concurrent-executions 7 "
            "--region us-east-1",
        ),
        (
            PauseReplication(),
            "replication of global tables is paused",
            "global tables are replicated again",
            "payinfra local fault clear --all",
        ),
        (
            RunPauseExperiment("us-east-1", TABLE, ROLE, 9, "d1"),
            f"an FIS experiment pauses replication of {TABLE}, for 9 minutes at most",
            f"no FIS experiment pauses replication of {TABLE}, and its template is gone",
            "aws fis list-experiments --query \"experiments[?tags.PayinfraDrill=='d1'].id\" "
            "--region us-east-1; aws fis stop-experiment --id EXPERIMENT --region us-east-1; "
            "aws fis list-experiment-templates --query "
            "\"experimentTemplates[?tags.PayinfraDrill=='d1'].id\" --region us-east-1; "
            "aws fis delete-experiment-template --id TEMPLATE --region us-east-1",
        ),
        (
            Blackout("us-east-1"),
            "us-east-1 answers nothing",
            "us-east-1 answers again",
            "payinfra local fault clear --all",
        ),
        (
            SetTimeScale(20, 1),
            "the embedded AWS's time runs 20 times as fast as real",
            "the embedded AWS's time runs as fast as real again",
            "payinfra local down; payinfra local up --time-scale 1",
        ),
        (
            HoldTimeScale(20, "demo/d1"),
            "the embedded AWS's time runs 20 times as fast as real for the drill demo/d1",
            "the drill demo/d1 does not set the embedded AWS's time scale any more",
            "payinfra local down; payinfra local up",
        ),
        (
            ArmWatchdog("us-east-1", "d1-us-east-1", "pay", None, AT, ROLE),
            "schedule d1-us-east-1 in us-east-1 gives function pay no reserved concurrency at "
            "2026-01-02 03:04:05 UTC",
            "schedule d1-us-east-1 in us-east-1 is gone",
            "aws scheduler delete-schedule --group-name payinfra-drill --name d1-us-east-1 "
            "--region us-east-1",
        ),
    ],
)
def test_a_person_reads_what_is_done_and_how_to_undo_it(
    action: FaultAction, done: str, undone: str, by_hand: str
) -> None:
    words = action.describe()
    assert (words.done, words.undone, words.by_hand) == (done, undone, by_hand)


def test_commands_for_the_embedded_aws_reach_it() -> None:
    check = InvertHealthCheck("hc-1", original=False).describe(HERE).by_hand
    assert check.startswith('(eval "$(payinfra local env)" && aws route53 ')
    assert check.endswith("--endpoint-url http://127.0.0.1:4560)")
    function = SetConcurrency("us-east-1", "pay", None).describe(HERE).by_hand
    assert function.endswith("--endpoint-url http://127.0.0.1:4566)")


@given(any_action)
def test_every_action_names_the_calls_that_make_it(action: FaultAction) -> None:
    assert all(action.describe().calls)


def test_calls_say_what_is_asked() -> None:
    assert InvertHealthCheck("hc-1", original=False).describe().calls == (
        "route53:UpdateHealthCheck hc-1: Inverted True",
    )
    assert RunPauseExperiment("us-east-1", TABLE, ROLE, 9, "d1").describe().calls == (
        "fis:CreateExperimentTemplate in us-east-1: aws:dynamodb:global-table-pause-replication of " + TABLE,
        "fis:StartExperiment in us-east-1: 9 minutes",
    )


def test_a_role_of_the_environments_account() -> None:
    assert role_arn(outputs(), "payinfra-drill-fis") == ROLE
