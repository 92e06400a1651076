"""Two regions in memory: API keys, plans, parameters, a scripted state, and a run that can be killed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.core.naming import tags
from payinfra.core.outputs import Outputs
from payinfra.deployment.key_rotation.keys import ApiKeys
from payinfra.deployment.workspace import LockedEnvironment
from payinfra.terraform import ChangeAction, Import, OutputValue, Plan, ResourceChange, Terraform
from tests.unit.checks.probes.conftest import outputs as probed_outputs

OLD = "the-old-value-of-twenty-and-more"
MADE = datetime(2026, 5, 1, tzinfo=UTC)
REGIONS = ("us-east-1", "us-west-2")
NAME = "payment-demo-client"
STACK = {
    "resource": {
        "aws_api_gateway_api_key": {
            "a": {"provider": "aws.primary"},
            "b": {"provider": "aws.secondary"},
        },
        "aws_api_gateway_usage_plan_key": {
            "c": {"provider": "aws.primary"},
            "d": {"provider": "aws.secondary"},
        },
    }
}


class Killed(Exception):
    """The run was killed."""


@dataclass
class Region:
    """A region's API keys by id, its plan and its parameter.

    Attributes:
        stages: the APIs that the plan's keys open; None where the plan is gone.
    """

    keys: dict[str, dict[str, Any]]
    plan: set[str]
    parameter: dict[str, Any]
    stages: list[str] | None = field(default_factory=lambda: ["api/prod"])


@dataclass
class Cloud:
    """Both regions, and Terraform's state: address to id.

    Attributes:
        kill_at: the change before which the run is killed, counted from 0.
        after_each: called after each change.
        deaf: how many questions the APIs answer with 403 before they have heard of a new key.
    """

    regions: dict[str, Region]
    state: dict[str, str]
    outputs: Outputs = field(default_factory=lambda: tagged(probed_outputs()))
    kill_at: int | None = None
    changes: int = 0
    deaf: int = 0
    status: int = 404
    after_each: Callable[[], None] = lambda: None
    slept: list[float] = field(default_factory=list)

    @contextmanager
    def change(self) -> Iterator[None]:
        if self.changes == self.kill_at:
            raise Killed
        self.changes += 1
        yield
        self.after_each()

    def valid(self, region: str) -> set[str]:
        """The values that the region's API accepts."""
        here = self.regions[region]
        return {key["value"] for id_, key in here.keys.items() if id_ in here.plan}

    def names(self, region: str) -> dict[str, str]:
        return {key["name"]: key["value"] for key in self.regions[region].keys.values()}

    def http(self) -> httpx.Client:
        def answer(request: httpx.Request) -> httpx.Response:
            accepted = request.headers["x-api-key"] in self.valid(request.url.host)
            if self.deaf or not accepted:
                self.deaf = max(0, self.deaf - 1)
                return httpx.Response(403)
            return httpx.Response(self.status)

        return httpx.Client(transport=httpx.MockTransport(answer))

    def keys(self, value: str = "the-new-value-of-twenty-and-more") -> ApiKeys:
        return ApiKeys(
            self.outputs,
            FakeAws(cloud=self),
            http=self.http,
            value=lambda: value,
            sleep=self.slept.append,
            accepted_within_s=0.2,
        )


@dataclass(frozen=True)
class Gateway:
    """API Gateway in a region."""

    cloud: Cloud
    region: str

    @property
    def here(self) -> Region:
        return self.cloud.regions[self.region]

    def get_paginator(self, operation: str) -> "Pages":
        return Pages(self, operation)

    def get_api_key(self, apiKey: str, includeValue: bool) -> dict[str, Any]:
        assert includeValue
        return {"id": apiKey, **self.here.keys[apiKey]}

    def create_api_key(self, **wanted: Any) -> dict[str, Any]:
        if wanted["value"] in [key["value"] for key in self.here.keys.values()]:
            raise AssertionError("AWS: a region has one key of a value")
        with self.cloud.change():
            again = sum(1 for each in self.here.keys if each.startswith("new"))
            made = f"new{again or ''}-{self.region}"
            self.here.keys[made] = {**wanted, "createdDate": MADE}
        return {"id": made}

    def create_usage_plan_key(self, usagePlanId: str, keyId: str, keyType: str) -> None:
        assert (usagePlanId, keyType) == (f"plan-{self.region}", "API_KEY")
        assert keyId not in self.here.plan
        with self.cloud.change():
            self.here.plan.add(keyId)

    def delete_usage_plan_key(self, usagePlanId: str, keyId: str) -> None:
        assert usagePlanId == f"plan-{self.region}"
        with self.cloud.change():
            self.here.plan.remove(keyId)

    def delete_api_key(self, apiKey: str) -> None:
        assert apiKey not in self.here.plan or not self.here.stages
        if apiKey not in self.here.keys:
            raise ClientError({"Error": {"Code": "NotFoundException"}}, "DeleteApiKey")
        with self.cloud.change():
            del self.here.keys[apiKey]

    def update_api_key(self, apiKey: str, patchOperations: list[dict[str, str]]) -> None:
        (operation,) = patchOperations
        assert (operation["op"], operation["path"]) == ("replace", "/name")
        with self.cloud.change():
            self.here.keys[apiKey]["name"] = operation["value"]


@dataclass(frozen=True)
class Pages:
    """A listing of API Gateway's, in pages of one."""

    gateway: Gateway
    operation: str

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        here = self.gateway.here
        if self.operation == "get_usage_plan_keys":
            assert asked == {"usagePlanId": f"plan-{self.gateway.region}"}
            yield from ({"items": [{"id": each}]} for each in sorted(here.plan))
        elif self.operation == "get_usage_plans":
            assert asked == {}
            yield {"items": [{"id": "of-another", "name": "payment-other-plan", "apiStages": [{}]}]}
            if here.stages is not None:
                plan = f"plan-{self.gateway.region}"
                yield {"items": [{"id": plan, "name": "payment-demo-plan", "apiStages": here.stages}]}
        else:
            assert asked == {"nameQuery": NAME, "includeValues": False}
            shown = [(id_, key) for id_, key in here.keys.items() if key["name"].startswith(NAME)]
            for id_, key in shown:
                told = {name: key[name] for name in ("name", "createdDate", "tags") if name in key}
                yield {"items": [{"id": id_, **told}]}
        yield {}


@dataclass(frozen=True)
class Parameters:
    """Parameter Store in a region."""

    cloud: Cloud
    region: str

    @property
    def kept(self) -> dict[str, Any]:
        return self.cloud.regions[self.region].parameter

    def get_parameter(self, Name: str, WithDecryption: bool) -> dict[str, Any]:
        assert (Name, WithDecryption) == ("/payment-demo/api-key", True)
        return {"Parameter": {"Value": self.kept["Value"]}}

    def get_paginator(self, operation: str) -> "Parameters":
        assert operation == "describe_parameters"
        return self

    def paginate(self, ParameterFilters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        assert ParameterFilters == [{"Key": "Name", "Values": ["/payment-demo/api-key"]}]
        # A page of Parameter Store may be empty although the next one is not.
        yield {"Parameters": []}
        yield {"Parameters": [{"Description": self.kept["Description"]}]}

    def put_parameter(self, **wanted: Any) -> None:
        assert wanted.pop("Overwrite")
        with self.cloud.change():
            self.cloud.regions[self.region].parameter = wanted


@dataclass(frozen=True)
class FakeAws(Aws):
    cloud: Cloud = field(default_factory=lambda: fresh_cloud())

    def client(self, service: str, region: str) -> Any:
        return {"apigateway": Gateway, "ssm": Parameters}[service](self.cloud, region)


@dataclass
class ScriptedTerraform:
    """Terraform over the cloud's state."""

    cloud: Cloud
    calls: list[str] = field(default_factory=list)
    leaves_outputs: bool = False
    pending: tuple[ResourceChange, ...] = ()

    def forget(self, addresses: Sequence[str]) -> tuple[str, ...]:
        with self.cloud.change():
            had = tuple(each for each in addresses if self.cloud.state.pop(each, None))
        self.calls.append("forget")
        return had

    def adopt(self, imports: Sequence[Import]) -> None:
        for one in imports:
            with self.cloud.change():
                assert one.address not in self.cloud.state
                self.cloud.state[one.address] = one.id
        self.calls.append("adopt")

    def plan(self, out: Path, *, refresh_only: bool = False, targets: Sequence[str]) -> Plan:
        named = " ".join(sorted(each.rpartition(".")[2] for each in targets))
        self.calls.append(f"{'refresh' if refresh_only else 'plan'} {named}")
        if refresh_only:
            return Plan(out, 0, 0, 0)
        changes = tuple(ResourceChange(each, each.partition(".")[0], ChangeAction.UPDATE) for each in targets)
        return Plan(out, 0, len(changes), 0, (*changes, *self.pending))

    def apply(self, plan: Path) -> Mapping[str, OutputValue]:
        with self.cloud.change():
            self.calls.append("apply")
        return {}

    def outputs(self) -> Mapping[str, OutputValue]:
        """As an import leaves them: of the state, by a configuration that is ahead of what is deployed."""
        if self.leaves_outputs:
            return {"failover_domain": OutputValue("as-before", False, "string")}
        return {
            "failover_domain": OutputValue("not-deployed-yet", False, "string"),
            "api_key_id": OutputValue(self.cloud.state["aws_api_gateway_api_key.a"], False, "string"),
            "secondary_api_key_id": OutputValue(
                self.cloud.state["aws_api_gateway_api_key.b"], False, "string"
            ),
        }


@dataclass
class Stage:
    detail: str = ""


@dataclass
class Workshop:
    """An environment on the environment."""

    cloud: Cloud
    manifest: Path
    stages: list[str] = field(default_factory=list)

    def environment(self) -> tuple[LockedEnvironment, ScriptedTerraform]:
        terraform = ScriptedTerraform(self.cloud)
        made = LockedEnvironment(
            outputs=self.cloud.outputs,
            aws=FakeAws(cloud=self.cloud),
            terraform=cast(Terraform, terraform),
            manifest=self.manifest,
            plan_file=self.manifest.with_name("plan.tfplan"),
            keep=self.keep,
            stage=self.stage,
        )
        return made, terraform

    def keep(self, values: Mapping[str, OutputValue]) -> Outputs:
        self.cloud.outputs = Outputs.from_flat({name: each.value for name, each in values.items()})
        return self.cloud.outputs

    @contextmanager
    def stage(self, name: str) -> Iterator[Any]:
        self.stages.append(name)
        yield Stage()


def tagged(outputs: Outputs) -> Outputs:
    """The outputs of a deployment whose resources bear the environment's tags."""
    return replace(outputs, declared_json=replace(outputs.declared, tags=tags("demo")).to_json())


def fresh_cloud() -> Cloud:
    def region(name: str) -> Region:
        key = {"name": NAME, "value": OLD, "createdDate": MADE, "tags": tags("demo")}
        parameter = {"Value": OLD, "Description": "The API key"}
        return Region({f"key-{name}": key}, {f"key-{name}"}, parameter)

    state = {
        "aws_api_gateway_api_key.a": "key-us-east-1",
        "aws_api_gateway_api_key.b": "key-us-west-2",
        "aws_api_gateway_usage_plan_key.c": "old",
        "aws_api_gateway_usage_plan_key.d": "old",
        "aws_kms_key.k": "untouched",
    }
    return Cloud({name: region(name) for name in REGIONS}, state)


@pytest.fixture
def cloud() -> Cloud:
    return fresh_cloud()


@pytest.fixture
def workshop(cloud: Cloud, tmp_path: Path) -> Workshop:
    manifest = tmp_path / "cdk.tf.json"
    manifest.write_text(json.dumps(STACK))
    return Workshop(cloud, manifest)
