"""Manual fail-back: the name moves by itself, once, and a person returns it."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from handlers.payments import fail_back
from payinfra.core.evacuation import BY_RULE
from tests.e2e.conftest import DEPLOY, ENV, Deployment
from tests.e2e.evacuation.conftest import Day

SCALE = 4.0
"""The function looks in real time, at most every five seconds: checkers must not be far faster than that."""
FLAPS = 5
MANUAL = ("--failback", "manual")
TOLD = frozenset(("aws_ssm_parameter.published_primary", "aws_ssm_parameter.published_secondary"))
NEW = TOLD | {
    f"{kind}.{role}_service_{name}"
    for role in ("primary", "secondary")
    for kind, name in (
        ("aws_lambda_function", "function"),
        ("aws_lambda_alias", "alias"),
        ("aws_iam_role_policy", "policy"),
    )
}
"""What changes of an environment in which the name came back by itself."""


@pytest.fixture(scope="module")
def manual(deployment: Deployment) -> Iterator[list[str]]:
    """The deployment with manual fail-back, and as it was afterwards; gives what that changed."""
    deployment.calm()  # a deployment verifies, and would say what other tests made ring
    done = deployment.project.run(*DEPLOY, *MANUAL, "--format", "json")
    assert done.returncode == 0, done.stderr
    yield [one["address"] for one in json.loads(done.stdout)["plan"]["changes"]]
    deployment.calm()
    back = deployment.project.run(*DEPLOY)
    assert back.returncode == 0, back.stderr


def settled(day: Day) -> bool:
    """Whether the parameter was written long enough ago for the rule."""
    found = day.deployment.client("ssm", "secondary").get_parameter(Name=f"/payment-{ENV}/evacuated")
    age = datetime.now(UTC) - found["Parameter"]["LastModifiedDate"]
    return bool(age.total_seconds() * 1000 > fail_back.SETTLED_MS)


def watched(day: Day, led: list[str], seconds: float) -> None:
    """Follow the name for a while; `led` gets each region that it comes to lead to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (now := day.leads_to()) != led[-1]:
            led.append(now)
        time.sleep(0.1)


def test_the_name_moves_once_however_the_region_flaps_and_is_returned(manual: list[str], day: Day) -> None:
    assert set(manual) == NEW, "nothing else of the environment is changed"
    day.deployment.control.set_time_scale(SCALE)
    day.waits_for(lambda: settled(day), fail_back.SETTLED_MS / 1000 + 10)
    led = [day.leads_to()]
    # A flap of seconds, in which the name does not move, marks nothing.
    day.blackout(day.primary)
    watched(day, led, 1.0)
    day.deployment.control.clear()
    watched(day, led, 6.0)
    assert (led, day.flag("secondary")) == ([day.primary], None)
    # The name moves. The region is back before Route 53 can have noticed the survivor's flag.
    day.blackout(day.primary)
    day.waits_for(lambda: day.leads_to() == day.secondary)
    watched(day, led, 8.0)
    for _ in range(FLAPS - 1):
        day.deployment.control.clear()
        watched(day, led, 8.0)
        day.blackout(day.primary)
        watched(day, led, 5.0)
    day.deployment.control.clear()
    watched(day, led, 20.0)
    assert led == [day.primary, day.secondary]
    flag = day.flag("secondary")
    assert flag is not None
    assert (flag.region, flag.by, day.flag("primary")) == (day.primary, BY_RULE, None)
    # The survivor's own pager rings, although nobody has paid there.
    day.waits_for(lambda: f"payment-{ENV}-failover-seen" in day.deployment.ringing())
    said = json.loads(
        day.deployment.project.run("status", "--env", ENV, "--local", "--format", "json").stdout
    )
    assert said["failback"] == "manual"
    assert "the fail-back rule keeps it away" in said["next_steps"][0]
    assert f"payinfra return {day.primary}" in said["next_steps"][1]
    assert day.pay(day.secondary).status_code == 201
    back = day.command("return", day.primary)
    assert back.returncode == 0, back.stderr
    assert (day.leads_to(), day.flag("secondary")) == (day.primary, None)
    assert day.missing(day.primary) == []


def test_a_drill_gives_the_name_back_and_leaves_nothing(manual: list[str], day: Day) -> None:
    assert manual
    day.deployment.calm()
    done = day.deployment.project.run(
        *("failover-drill", "--env", ENV, "--local", "--yes", "--scenario", "region-outage"),
        *("--format", "json", "--time-scale", "4"),
    )
    report = json.loads(done.stdout)
    assert {"DNS switched", "DNS back"} <= {one["phase"] for one in report["phases"]}, done.stdout
    assert (report["restoration"]["left"], day.leads_to()) == ([], day.primary)
    found = day.deployment.client("ssm", "secondary").get_parameter(Name=f"/payment-{ENV}/evacuated")
    assert found["Parameter"]["Value"] == "{}"
