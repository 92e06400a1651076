"""Outputs survive the way through Terraform's flat strings, and say what is wrong when they do not."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import (
    COMMON_OUTPUTS,
    DECLARED_VERSION,
    REGION_OUTPUTS,
    SECONDARY_PREFIX,
    Declared,
    DeclaredAlarm,
    DeclaredApi,
    DeclaredDns,
    DeclaredFunction,
    DeclaredHealth,
    DeclaredKeys,
    DeclaredLimits,
    DeclaredLogGroups,
    DeclaredParameters,
    DeclaredRegion,
    DeclaredRetention,
    DeclaredTable,
    Outputs,
    RegionOutputs,
)

ALARM = DeclaredAlarm("payment-pr1-function-errors", "AWS/Lambda", "Errors", 1)


def declared_region(region: str) -> DeclaredRegion:
    return DeclaredRegion(
        region=region,
        function=DeclaredFunction(
            name="f",
            alias="live",
            code_sha256="c2hh",
            runtime="python3.11",
            handler="payments.handler.handle",
            memory_mb=512,
            timeout_s=60,
            reserved_concurrency=None,
            role_name="r",
            role_arn="arn:r",
        ),
        api=DeclaredApi("a1", "payment-pr1-api", "prod", "p1", f"a1.execute-api.{region}.amazonaws.com"),
        keys=DeclaredKeys("arn:d", "arn:a", "arn:p"),
        log_groups=DeclaredLogGroups("/f", "/a", "/e"),
        parameters=DeclaredParameters("/t", "/b", "/e", "/k"),
        alarms=(ALARM,),
        metric_filters=("payment-pr1-payments-accepted",),
        dashboard=f"payment-pr1-overview-{region}",
        replication_role_arn="arn:s3",
    )


DECLARED = Declared(
    version=DECLARED_VERSION,
    protected=False,
    regions=(declared_region("us-east-1"), declared_region("us-west-2")),
    table=DeclaredTable("t", ("status-index", "customer-index"), deletion_protection=False),
    health=DeclaredHealth("/prod/health", 10, 3, "us-east-1", "arn:topic", (ALARM, ALARM)),
    dns=DeclaredDns(
        zone="payment-pr1.internal",
        delegated=False,
        ttl_s=60,
        payments_path="/prod/payments",
        health_path="/prod/health",
        set_identifiers=("us-east-1", "us-west-2"),
        certificates=(),
    ),
    retention=DeclaredRetention(7, 7, 31, 30, None),
    limits=DeclaredLimits(100.0, 200, 1_000_000),
    tags={"Environment": "pr1"},
    alarm_email=None,
)


def region(name: str) -> RegionOutputs:
    values = {field: f"{name}-{field}" for field in REGION_OUTPUTS}
    return RegionOutputs(region=name, **values)


OUTPUTS = Outputs(
    primary=region("us-east-1"),
    secondary=region("us-west-2"),
    failover_domain="failover.payment-pr1.internal",
    latency_domain="latency.payment-pr1.internal",
    hosted_zone_id="Z1",
    environment_suffix="pr1",
    declared_json=DECLARED.to_json(),
)


def test_there_and_back() -> None:
    assert Outputs.from_flat(OUTPUTS.to_flat()) == OUTPUTS
    assert OUTPUTS.declared == DECLARED
    assert OUTPUTS.regions == (OUTPUTS.primary, OUTPUTS.secondary)


def test_the_flat_form_has_exactly_the_described_names() -> None:
    described = {*REGION_OUTPUTS, *(SECONDARY_PREFIX + name for name in REGION_OUTPUTS), *COMMON_OUTPUTS}
    assert set(OUTPUTS.to_flat()) == described
    assert {field.name for field in fields(RegionOutputs)} == {"region", *REGION_OUTPUTS}
    texts = (*REGION_OUTPUTS.values(), *COMMON_OUTPUTS.values())
    assert all(text and text == text.strip() for text in texts)


def test_each_region_keeps_its_own_values() -> None:
    flat = OUTPUTS.to_flat()
    assert flat["api_endpoint"] == "us-east-1-api_endpoint"
    assert flat["secondary_api_endpoint"] == "us-west-2-api_endpoint"
    assert (OUTPUTS.primary_region, OUTPUTS.secondary_region) == ("us-east-1", "us-west-2")
    assert (flat["primary_region"], flat["secondary_region"]) == ("us-east-1", "us-west-2")


@pytest.mark.parametrize("broken", [None, "", 3])
def test_a_missing_output_is_named(broken: object) -> None:
    flat: dict[str, object] = {**OUTPUTS.to_flat(), "secondary_kms_key_id": broken}
    del flat["declared"]
    with pytest.raises(EnvironmentUnusable, match=r"lack secondary_kms_key_id, declared\.") as caught:
        Outputs.from_flat(flat)
    assert "Deploy" in caught.value.hint


def test_outputs_that_this_version_does_not_know_are_passed_over() -> None:
    assert Outputs.from_flat({**OUTPUTS.to_flat(), "of_tomorrow": {"a": 1}}) == OUTPUTS


def test_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "flat-outputs.json"
    file.write_text(json.dumps(OUTPUTS.to_flat()), encoding="utf-8")
    assert Outputs.read(file) == OUTPUTS


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        (b"{", "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        (b"[1]", "holds no JSON object"),
        (b"{}", "lack api_endpoint"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "flat-outputs.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EnvironmentUnusable, match=problem):
        Outputs.read(file)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "version None"),
        ('{"version": 2}', "version 2; this payinfra reads 1"),
        (DECLARED.to_json().replace('"protected":false,', ""), "has no valid protected"),
        (DECLARED.to_json().replace('"memory_mb":512', '"memory_mb":"much"'), "regions.0.function.memory_mb"),
    ],
)
def test_a_declaration_that_cannot_be_used(text: str, problem: str) -> None:
    with pytest.raises(EnvironmentUnusable, match=problem):
        _ = replace(OUTPUTS, declared_json=text).declared


def test_a_declaration_is_one_line_of_ordered_json() -> None:
    text = DECLARED.to_json()
    assert "\n" not in text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_an_architecture_is_in_the_text_only_where_one_is_declared() -> None:
    assert "architecture" not in DECLARED.to_json()
    primary, secondary = DECLARED.regions
    armed = replace(primary, function=replace(primary.function, architecture="arm64"))
    declared = replace(DECLARED, regions=(armed, secondary))
    assert replace(OUTPUTS, declared_json=declared.to_json()).declared == declared
