"""Two regions, their parameters, tables, pages and names, in time that only passes when somebody waits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from payinfra.checks.probes.model import ProbeContext
from payinfra.clients.aws import Endpoints
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.clients.http import HttpResponse
from payinfra.core.evacuation import EvacuationFlag
from payinfra.core.outputs import Declared, DeclaredEvacuation, Outputs
from payinfra.core.published import PublishedDeployment
from payinfra.evacuation.survivor import Survivor
from tests.support.answering_clients import AnsweringAws
from tests.unit.checks.probes.conftest import (
    EAST,
    FAILOVER,
    HOSTS,
    LATENCY,
    WEST,
    FakeTls,
    declared,
    error,
    outputs,
)

PARAMETER = "/payment-demo/evacuated"
NOW = datetime(2026, 3, 1, 3, 12, 45, tzinfo=UTC)
MOVES_AFTER_S = 60.0


def flag_of(region: str) -> EvacuationFlag:
    return EvacuationFlag(region, NOW.isoformat(timespec="seconds"), "alice")


def payment(payment_id: str, fingerprint: str = "f" * 64, region: str = EAST, **more: Any) -> dict[str, Any]:
    """An item of the table."""
    return {
        "payment_id": {"S": payment_id},
        "timestamp": {"N": str(int(NOW.timestamp() * 1000))},
        "fingerprint": {"S": fingerprint},
        "status": {"S": "accepted"},
        "receipt": {"M": {"region": {"S": region}}},
        **more,
    }


class Killed(BaseException):
    """The process was killed: nothing catches it."""


@dataclass
class TwoRegions:
    """An environment as an evacuation sees it.

    Attributes:
        flags: what the parameter holds, by region.
        tables: the items, by region.
        health: what the health page answers; None where nothing answers.
        dark: regions that answer no call.
        calls: each call to AWS, as `service operation region`.
        killed_at: the number of the call before which the process is killed.
        moves_after_s: how long the names take to follow the flags.
        late_s: how long replication takes.
    """

    flags: dict[str, str] = field(default_factory=lambda: {EAST: "{}", WEST: "{}"})
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {EAST: [], WEST: []})
    audited: set[str] = field(default_factory=set)
    health: dict[str, int | None] = field(default_factory=lambda: {EAST: 200, WEST: 200})
    refused: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    dark: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    killed_at: int | None = None
    moves_after_s: float = MOVES_AFTER_S
    at: float = 1000.0
    changed: list[tuple[float, str, str]] = field(default_factory=list)
    servers_known: bool = True
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def step(self, what: str) -> None:
        """One thing that the command does: the process may be killed before it."""
        if self.killed_at is not None and len(self.calls) >= self.killed_at:
            raise Killed(what)
        self.calls.append(what)

    # -- AWS --------------------------------------------------------------------------------------

    def answer(self, service: str, operation: str, region: str, asked: Mapping[str, Any]) -> Any:
        self.step(f"{service} {operation} {region}")
        if region in self.dark:
            raise EndpointConnectionError(endpoint_url=f"https://{service}.{region}.amazonaws.com")
        if operation in self.refused:
            raise error(self.refused[operation], "no", operation)
        return getattr(self, f"_{operation}")(region, asked)

    def _get_parameter(self, region: str, asked: Mapping[str, Any]) -> Any:
        assert asked["Name"] == PARAMETER
        return {"Parameter": {"Value": self.flags[region]}}

    def _put_parameter(self, region: str, asked: Mapping[str, Any]) -> Any:
        assert (asked["Name"], asked["Type"], asked["Overwrite"]) == (PARAMETER, "String", True)
        self.changed.append((self.at, region, self.flags[region]))
        self.flags[region] = asked["Value"]
        return {}

    def _get_metric_statistics(self, _region: str, asked: Mapping[str, Any]) -> Any:
        (statistic,) = asked["Statistics"]
        return {"Datapoints": [{statistic: one} for one in self.metrics.get(asked["MetricName"], [])]}

    def _query(self, region: str, asked: Mapping[str, Any]) -> Any:
        status = asked["ExpressionAttributeValues"][":status"]
        return {"Items": [one for one in self.tables[region] if one["status"] == status]}

    def _list_objects_v2(self, _region: str, asked: Mapping[str, Any]) -> Any:
        return {"Contents": [{"Key": key} for key in sorted(self.audited) if key.startswith(asked["Prefix"])]}

    # -- HTTP and DNS -----------------------------------------------------------------------------

    def ask(
        self, _method: str, url: str, _headers: Mapping[str, str] | None = None, _body: object = None
    ) -> HttpResponse:
        region = EAST if EAST in url else WEST
        self.step(f"http {url.rpartition('/')[2]} {region}")
        status = self.health[region]
        if status is None or region in self.dark:
            raise httpx.ConnectError("refused")
        if url.endswith("/evacuation"):
            status = 200 if EvacuationFlag.from_json(self.flags[region]) else 404
        return HttpResponse(status, {}, json.dumps({"region": region}), 0.01)

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        assert tuple(names) == ("ns-1.example", "ns-2.example")
        return (NameServer("192.0.2.1"), NameServer("192.0.2.2")) if self.servers_known else ()

    def led(self, name: str, near: str) -> DnsResponse:
        """Where Route 53 leads: it follows the flags after a while."""
        self.step(f"dns {name}")
        flags = self.flags | {
            region: before
            for when, region, before in reversed(self.changed)
            if self.at < when + self.moves_after_s
        }
        out = {flag.region for one in flags.values() if (flag := EvacuationFlag.from_json(one))}
        wanted = EAST if name == FAILOVER else near
        leads = wanted if wanted not in out or len(out) == 2 else ({EAST, WEST} - {wanted}).pop()
        return DnsResponse("NOERROR", (HOSTS[leads],), 60)

    # -- how tests use it -------------------------------------------------------------------------

    def declared(self) -> Declared:
        return declared(
            evacuation=DeclaredEvacuation(
                page="/prod/evacuation",
                parameter=PARAMETER,
                interval_s=30,
                threshold=2,
                serving_checks=("serving-east", "serving-west"),
                flag_checks=("flag-east", "flag-west"),
                name_servers="ns-1.example,ns-2.example",
            )
        )

    def outputs(self) -> Outputs:
        return replace(outputs(), declared_json=self.declared().to_json())

    def survivor(self, region: str = WEST) -> Survivor:
        """The region that survives when the other one is evacuated."""
        context = ProbeContext(
            aws=AnsweringAws(
                Endpoints({EAST: "http://127.0.0.1:1", WEST: "http://127.0.0.1:2"}, ""), fake=self
            ),
            outputs=self.outputs(),
            declared=self.declared(),
            http=self,
            dns=FakeDns(self),
            tls=FakeTls(self),  # type: ignore[arg-type]  # nothing asks for certificates
            run="run1",
            began=NOW,
            now=lambda: NOW + timedelta(seconds=self.at - 1000),
        )
        return NearTheOther(context, PublishedDeployment("demo", region, context.outputs))


@dataclass(frozen=True)
class NearTheOther(Survivor):
    """The latency name is asked for as from near the evacuated region, of the same fake."""

    def names(self) -> Any:
        return tuple(
            replace(one, dns=replace(self.live.dns, near=self.evacuated))  # type: ignore[type-var]  # FakeDns
            for one in super().names()
        )


@dataclass(frozen=True)
class FakeDns:
    fake: TwoRegions
    near: str = EAST

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        return self.fake.servers(names)

    def ask(self, _server: NameServer, name: str, kind: str) -> DnsResponse:
        assert (name in (FAILOVER, LATENCY), kind) == (True, "CNAME")
        return self.fake.led(name, self.near)

    def resolve(self, _name: str, kind: str) -> DnsResponse:
        assert kind == "NS"
        return DnsResponse("NOERROR", ("ns-1.example", "ns-2.example"), 60)


@pytest.fixture
def regions() -> TwoRegions:
    return TwoRegions()


__all__ = ["EAST", "PARAMETER", "WEST", "ClientError", "Killed", "TwoRegions", "flag_of", "payment"]
