"""A healthy environment passes every probe, on either target."""

from typing import TYPE_CHECKING

from payinfra.checks.probes import canaries
from payinfra.checks.probes.verify import load

if TYPE_CHECKING:
    from tests.unit.checks.probes.conftest import FakeEnv


def test_a_healthy_environment_passes_every_probe(fake: "FakeEnv") -> None:
    assert fake.failing() == {}


def test_it_leaves_no_canary_behind(fake: "FakeEnv") -> None:
    fake.failing()
    assert fake.objects  # the payments', which the end of a run sweeps up
    canaries.remove_left_over(fake.live())
    assert (fake.items, fake.objects, fake.written_records) == ({}, {}, {})


def test_on_aws_it_passes_as_well(fake: "FakeEnv") -> None:
    fake.endpoints = None
    assert fake.failing() == {}


def test_a_probe_asks_both_regions(fake: "FakeEnv") -> None:
    fake.failing()
    asked = {(service, region) for service, _, region in fake.calls}
    regional = {"apigateway", "lambda", "dynamodb", "s3", "cloudwatch", "logs", "kms", "ssm", "sns"}
    assert {(service, region) for service in regional for region in ("us-east-1", "us-west-2")} <= asked


def test_each_probe_says_what_it_asks() -> None:
    for probe in load():
        assert probe.judge.__doc__, probe.rule.id
        assert probe.within_s >= 10
