"""What can be seen and changed while the primary region answers nothing, or records nothing."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from payinfra.local.endpoints import StateFolder
from payinfra.local.faults import RegionBlackout
from tests.e2e.conftest import HURRY

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployment, Done
    from tests.e2e.payments.conftest import Shop

WITHIN_S = 60.0
STATUS_WITHIN_S, VERIFY_WITHIN_S = 10.0, 15.0
BUSY = 2.5
"""How many times longer a command may take on two cores that others use, too."""
CHECKERS_AGENT = "Amazon-Route53-Health-Check-Service"
CONCURRENCY = ("--reserved-concurrency", "20")
MOVED_WITHIN_S = 90.0
PUBLISHED = {f"aws_ssm_parameter.published_{role}" for role in ("primary", "secondary")}
"""What a deployment says of itself, in each region: it changes with whatever was declared."""


@contextmanager
def dark(deployment: "Deployment", role: str) -> Iterator[str]:
    """A region that answers nothing, for a while."""
    region = deployment.region(role)
    deployment.control.inject(RegionBlackout(region))
    try:
        yield region
    finally:
        deployment.control.clear()


def run(deployment: "Deployment", *arguments: str) -> "Done":
    return deployment.project.run(*arguments, "--env", deployment.env, "--local")


def as_json(deployment: "Deployment", *arguments: str) -> Mapping[str, Any]:
    done = run(deployment, *arguments, "--format", "json")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def asked(deployment: "Deployment", region: str) -> list[str]:
    """What a dark region was asked so far, but for the questions of Route 53's checkers."""
    log = StateFolder(deployment.project.server).log.read_text(encoding="utf-8")
    mine = [line for line in log.splitlines() if line.startswith(f"{region} is dark")]
    return [line for line in mine if CHECKERS_AGENT not in line]


def until(holds: Callable[[], bool], within_s: float = MOVED_WITHIN_S) -> bool:
    end = time.monotonic() + within_s
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.5)
    return held


def leads_to(deployment: "Deployment") -> list[str]:
    found: list[str] = as_json(deployment, "status")["names"][0]["leads_to"]
    return found


def health(shop: "Shop") -> int:
    primary = shop.apis["primary"]
    return primary.bare("GET", primary.health_url).status_code


def changed(plan: Mapping[str, Any]) -> set[str]:
    return {change["address"] for change in plan["changes"]}


def test_with_the_primary_dark_the_survivor_is_seen_and_changed_alone(deployment: "Deployment") -> None:
    east, west = deployment.region("primary"), deployment.region("secondary")
    with dark(deployment, "primary"):
        status = run(deployment, "status", "--format", "json")
        assert status.seconds < STATUS_WITHIN_S * BUSY
        said = json.loads(status.stdout)
        assert [each["answers"] for each in said["regions"]] == [False, True]
        assert any(f"payinfra evacuate {east}" in step for step in said["next_steps"])

        alone = run(deployment, "verify", "--region", west)
        assert alone.returncode == 0, alone.stdout
        assert alone.seconds < VERIFY_WITHIN_S * BUSY

        whole = run(deployment, "verify")
        # 5 where the dark region is taken for what a drill has left, which on the embedded AWS it may be.
        assert whole.returncode in (1, 5), whole.stdout
        assert whole.seconds < WITHIN_S
        assert whole.stdout.count("LIVE-REG-001  ") == 1
        assert "Deploy again:" not in whole.stdout

        planned = run(deployment, "plan")
        assert planned.returncode == 4
        assert planned.seconds < WITHIN_S
        assert f"{east} does not answer" in planned.stderr
        assert f"payinfra deploy --surviving {west}" in planned.stderr

        before = len(asked(deployment, east))
        assert before, "the dark region's log would show what it is asked"
        surviving = ("deploy", "--surviving", west, "--yes")
        deployed = run(deployment, *surviving, *CONCURRENCY, "--format", "json")
        assert deployed.returncode == 0, deployed.stderr
        assert deployed.seconds < WITHIN_S * BUSY
        assert asked(deployment, east)[before:] == []
        assert changed(json.loads(deployed.stdout)["plan"]) - PUBLISHED == {
            "aws_lambda_function.secondary_service_function"
        }

    only_east = as_json(deployment, "plan", *CONCURRENCY)
    assert changed(only_east) - PUBLISHED == {"aws_lambda_function.primary_service_function"}
    back = run(deployment, *surviving)
    assert back.returncode == 0, back.stderr
    assert changed(as_json(deployment, "plan")) == set()
    deployment.calm()


def test_a_region_that_records_nothing_is_left_by_the_name(
    deployment: "Deployment", shop: "Shop", key: str, body: dict[str, object]
) -> None:
    east, west = deployment.region("primary"), deployment.region("secondary")
    # Time runs fast for the checkers; the function looks at its writes every ten real seconds.
    with deployment.in_a_hurry(HURRY):
        with shop.denied("primary", "dynamodb:PutItem"):
            assert shop.apis["primary"].post(key, body).status_code == 503
            assert until(lambda: leads_to(deployment) == [west]), "the name has not moved"
            assert until(lambda: health(shop) == 503), "each of the function's containers looks for itself"
            assert shop.apis["secondary"].insist(key, body)[-1].status_code == 201
        assert until(lambda: leads_to(deployment) == [east]), "the name has not come back"
    deployment.calm()
