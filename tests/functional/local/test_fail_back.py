"""The function's fail-back rule with the embedded AWS's own name server and Parameter Store."""

import time
from collections.abc import Callable
from typing import Any

from handlers.payments import fail_back
from handlers.payments.fail_back import BY, FailBackRule, HoldingBack
from handlers.payments.names import FailoverName
from payinfra.core.evacuation import NOT_EVACUATED, EvacuationFlag
from tests.functional.local.conftest import REGIONS, Local

PRIMARY, STANDBY = REGIONS
ZONE, NAME = "payment-demo.internal", "failover.payment-demo.internal"
PARAMETER = "/payment-demo/evacuated"
WITHIN_S = 30.0


def lead(route53: Any, zone: str, region: str) -> None:
    """Let the name lead to a region's endpoint."""
    target = f"abc123.execute-api.{region}.amazonaws.com"
    record = {"Name": NAME, "Type": "CNAME", "TTL": 1, "ResourceRecords": [{"Value": target}]}
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    )


def later_ms() -> int:
    """A time at which a parameter that has just been written has settled."""
    return time.time_ns() // 1_000_000 + fail_back.SETTLED_MS + fail_back.SKEW_MS


def test_the_rule_follows_the_name_server_and_its_flag_holds_the_primary_back(local: Local) -> None:
    route53, ssm = local.client("route53"), local.client("ssm", STANDBY)
    zone = route53.create_hosted_zone(Name=ZONE, CallerReference="fail-back")["HostedZone"]["Id"]
    ssm.put_parameter(Name=PARAMETER, Value=NOT_EVACUATED, Type="String")
    name = FailoverName(NAME, STANDBY, (local.endpoints.dns,))
    lead(route53, zone, PRIMARY)
    assert not name.leads_here()
    lead(route53, zone, STANDBY)
    end = time.monotonic() + WITHIN_S
    while not name.leads_here():
        assert time.monotonic() < end, "the name server does not lead to the standby"
        time.sleep(0.1)
    now = time.time_ns() // 1_000_000

    def rule_at(clock: Callable[[], int]) -> FailBackRule:
        return FailBackRule(
            ssm, PARAMETER, PRIMARY, leads_here=name.leads_here, serves=lambda: None, clock=clock
        )

    new = rule_at(lambda: now)
    assert new() is None, "the parameter has only just been written"
    rule = rule_at(later_ms)
    found = rule()
    assert found is not None
    flag = EvacuationFlag.from_json(ssm.get_parameter(Name=PARAMETER)["Parameter"]["Value"])
    assert flag == EvacuationFlag(PRIMARY, found.since, BY)
    holding = HoldingBack(local.client("ssm", STANDBY), PARAMETER, PRIMARY, later_ms)
    assert holding() == found.since
