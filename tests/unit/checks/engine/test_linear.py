"""Four times the resources take four times the work, counted in calls: no busy machine changes that."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from bench.wide_stack import REGIONS, Stack, wide_stack
from payinfra.checks.api import CheckRequest, run_checks


def flat(*kinds: str, **more: object) -> Callable[[int], Stack]:
    """A stack of some types, whose names tell no twins; each refers to the one of the type before."""

    def make(number: int) -> Stack:
        found: dict[str, dict[str, Stack]] = {}
        for at in range(number // len(kinds)):
            before = ""
            for kind in kinds:
                side = tuple(REGIONS)[at % 2]
                body: Stack = {"provider": f"aws.{side}", "name": f"n{at}.example.com", **more}
                if before:
                    body["bucket"] = body["health_check_id"] = f"${{{before}.x{at}.id}}"
                found.setdefault(kind, {})[f"x{at}"] = body
                before = kind
        providers = [{"alias": alias, "region": region} for alias, region in REGIONS.items()]
        return {"provider": {"aws": providers}, "resource": found}

    return make


SHAPES: dict[str, Callable[[int], Stack]] = {
    "services": wide_stack,
    "topics": flat("aws_sns_topic"),
    "buckets": flat("aws_s3_bucket", "aws_s3_bucket_versioning", "aws_s3_bucket_public_access_block"),
    "records": flat(
        "aws_route53_health_check",
        "aws_route53_record",
        type="CNAME",
        zone_id="Z1",
        fqdn="a.example.com",
        set_identifier="s",
        failover_routing_policy={"type": "PRIMARY"},
    ),
    "tables": flat("aws_dynamodb_table", "aws_cloudwatch_metric_alarm"),
}


def work(stack: Stack, file: Path) -> int:
    """How many functions are called while a stack is judged."""
    file.write_text(json.dumps(stack))
    count = 0

    def called(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        run_checks(CheckRequest((file,)))
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("shape", list(SHAPES))
def test_the_work_grows_with_the_stack_and_not_with_its_square(shape: str, tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    work(SHAPES[shape](20), file)  # what is remembered for good is not counted

    small, large = (work(SHAPES[shape](number), file) for number in (100, 400))

    assert large < 4.8 * small
