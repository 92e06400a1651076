"""An AWS and an embedded AWS in memory, as far as drills change them, behind real boto3 clients.

Calls go through botocore's own checks of parameters, and answers through those of its service models, so that
nothing is asked or answered that AWS's API does not have.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Lock, get_ident
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from botocore.validate import validate_parameters

from payinfra.clients.aws import Aws, Endpoints
from payinfra.local.control import Control, Sent
from payinfra.local.endpoints import LocalEndpoints
from payinfra.local.faults import FaultRegistry
from payinfra.local.server.asgi import HttpRequest
from payinfra.local.server.aws_rules import KeptRules
from payinfra.local.server.control_api import ControlApi
from payinfra.local.server.time_scale import TimeScale

EAST, WEST = "us-east-1", "us-west-2"
HERE = Endpoints({EAST: "http://127.0.0.1:4566", WEST: "http://127.0.0.1:4567"}, "http://127.0.0.1:4560")
TOKEN = "secret"

Params = Mapping[str, Any]


class Killed(BaseException):
    """The process is gone: nothing after this line of it happens."""


class Refused(Exception):
    """AWS refuses a call."""

    def __init__(self, code: str, status: int = 400, message: str = "") -> None:
        super().__init__(code)
        self.code, self.status, self.message = code, status, message


Trouble = Callable[["Call"], BaseException | None]


@dataclass(frozen=True)
class Call:
    """A call on its way to AWS, `FIS.StartExperiment`, or to the control port, `PUT /time-scale`."""

    name: str
    region: str
    params: Params

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        operation = self.name.rpartition(".")[2]
        return not operation.startswith(("Get", "List", "Describe", "Query"))


def no_trouble(_call: Call) -> None:
    """Everything works."""


@dataclass
class FakeCloud:
    """What is there, and every call that was made."""

    checks: dict[str, dict[str, Any]] = field(default_factory=lambda: {"hc-east": {}, "hc-west": {}})
    concurrency: dict[tuple[str, str], int] = field(default_factory=dict)
    schedules: dict[tuple[str, str], Params] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    board: FaultRegistry = field(default_factory=FaultRegistry)
    scale: TimeScale = field(default_factory=TimeScale)
    account: str = "123456789012"
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    parameters: dict[tuple[str, str], str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    before: Trouble = no_trouble
    """What happens to a call that then never reaches AWS; Refused is AWS's own answer."""
    after: Trouble = no_trouble
    """What happens to the answer of a call that has been carried out."""
    starting: int = 0
    """How many looks an experiment takes to begin."""
    stopping: int = 0
    """How many looks an experiment takes to end."""
    ends_as: str = "running"
    """What an experiment is once it has begun."""

    def state(self) -> tuple[object, ...]:
        """Everything that a drill may change, but for an experiment that has ended, which FIS remembers."""
        ended = {"stopped", "completed", "failed"}
        return (
            {
                name: (check.get("Inverted", False), check.get("Disabled", False))
                for name, check in self.checks.items()
            },
            dict(self.concurrency),
            {resource: dict(tags) for resource, tags in self.tags.items() if tags},
            sorted(self.schedules),
            sorted(self.templates),
            sorted(name for name, one in self.experiments.items() if one["state"]["status"] not in ended),
            tuple(active.fault for active in self.board.list()),
            {where: value for where, value in self.parameters.items() if value != "{}"},
            self.scale(),
        )

    @property
    def changes(self) -> list[str]:
        """The names of the calls that change something, in their order."""
        return [call.name for call in self.calls if call.changes]

    def carry_out(self, call: Call) -> Any:
        """One call, with whatever trouble there is."""
        self.calls.append(call)
        if trouble := self.before(call):
            raise trouble
        answer = self._answers()[call.name](call.region, call.params)
        if trouble := self.after(call):
            raise trouble
        return answer

    def control(self) -> Control:
        """The client of the embedded AWS's control port."""
        api = ControlApi(
            token=TOKEN,
            board=self.board,
            time_scale=self.scale,
            rules=KeptRules(),
            endpoints=lambda: LocalEndpoints(dict(HERE.regions), HERE.global_url, "127.0.0.1:4553", 7),
            pending=lambda: 0,
            add_region=_no_region,
            serve_https=_no_https,
            shut_down=lambda: None,
            started="2026-01-02T03:04:05+00:00",
        )

        def carry(sent: Sent, timeout: float) -> tuple[int, bytes]:
            path = sent.url.removeprefix(HERE.global_url)
            name = f"{sent.method.capitalize()} {path.rpartition('/')[2]}"
            call = Call(name, "", {})
            self.calls.append(call)
            if trouble := self.before(call):
                raise trouble
            headers = tuple((key.lower(), value) for key, value in sent.headers.items())
            got = asyncio.run(api(HttpRequest(sent.method, path, "", headers, sent.body or b"")))
            if trouble := self.after(call):
                raise trouble
            return got.status, got.body

        return Control(HERE.global_url, TOKEN, transport=carry)

    # -- what AWS does -----------------------------------------------------------------------------

    def _answers(self) -> Mapping[str, Callable[[str, Params], Any]]:
        return {
            "Route 53.GetHealthCheck": self._get_check,
            "Route 53.UpdateHealthCheck": self._update_check,
            "Lambda.GetFunctionConcurrency": self._get_concurrency,
            "Lambda.PutFunctionConcurrency": self._put_concurrency,
            "Lambda.DeleteFunctionConcurrency": self._delete_concurrency,
            "Route 53.ListTagsForResource": self._check_tags,
            "Route 53.ChangeTagsForResource": self._change_check_tags,
            "Lambda.ListTags": lambda _region, asked: {"Tags": self.tags.get(asked["Resource"], {})},
            "Lambda.TagResource": lambda _region, asked: self._tag(asked["Resource"], asked["Tags"]),
            "Lambda.UntagResource": lambda _region, asked: self._untag(asked["Resource"], asked["TagKeys"]),
            "DynamoDB.ListTagsOfResource": lambda _region, asked: {
                "Tags": _listed(self.tags.get(asked["ResourceArn"], {}))
            },
            "DynamoDB.TagResource": lambda _region, asked: self._tag(
                asked["ResourceArn"], {one["Key"]: one["Value"] for one in asked["Tags"]}
            ),
            "DynamoDB.UntagResource": lambda _region, asked: self._untag(
                asked["ResourceArn"], asked["TagKeys"]
            ),
            "Scheduler.CreateSchedule": self._create_schedule,
            "Scheduler.GetSchedule": self._get_schedule,
            "Scheduler.DeleteSchedule": self._delete_schedule,
            "fis.CreateExperimentTemplate": self._create_template,
            "fis.DeleteExperimentTemplate": self._delete_template,
            "fis.ListExperimentTemplates": self._list_templates,
            "fis.StartExperiment": self._start_experiment,
            "fis.StopExperiment": self._stop_experiment,
            "fis.GetExperiment": self._get_experiment,
            "fis.ListExperiments": self._list_experiments,
            "DynamoDB.Query": lambda _region, _asked: {"Items": []},
            "SSM.GetParameter": self._get_parameter,
            "SSM.PutParameter": self._put_parameter,
            "S3.ListObjectVersions": lambda _region, _asked: {},
            "STS.GetCallerIdentity": lambda _region, _asked: {"Account": self.account},
        }

    def _check(self, id: str) -> Any:
        if id not in self.checks:
            raise Refused("NoSuchHealthCheck", 404)
        check = self.checks[id]
        return {
            "HealthCheck": {
                "Id": id,
                "CallerReference": "ref",
                "HealthCheckVersion": check.get("version", 1),
                "HealthCheckConfig": {
                    "Type": "HTTPS",
                    **({"Inverted": check["Inverted"]} if "Inverted" in check else {}),
                    "Disabled": check.get("Disabled", False),
                },
            }
        }

    def _get_check(self, _region: str, asked: Params) -> Any:
        return self._check(asked["HealthCheckId"])

    def _update_check(self, _region: str, asked: Params) -> Any:
        check = self.checks[asked["HealthCheckId"]]
        version = check.get("version", 1)
        if asked["HealthCheckVersion"] != version:
            raise Refused("HealthCheckVersionMismatch", 409)
        changed = {name: asked[name] for name in ("Inverted", "Disabled") if name in asked}
        check |= {**changed, "version": version + 1}
        return self._check(asked["HealthCheckId"])

    def _check_tags(self, _region: str, asked: Params) -> Any:
        self._check(asked["ResourceId"])
        tags = _listed(self.tags.get(asked["ResourceId"], {}))
        of = {"ResourceType": "healthcheck", "ResourceId": asked["ResourceId"]}
        return {"ResourceTagSet": {**of, **({"Tags": tags} if tags else {})}}

    def _change_check_tags(self, _region: str, asked: Params) -> Any:
        self._check(asked["ResourceId"])
        self._tag(asked["ResourceId"], {one["Key"]: one["Value"] for one in asked.get("AddTags", ())})
        return self._untag(asked["ResourceId"], asked.get("RemoveTagKeys", ()))

    def _tag(self, resource: str, tags: Mapping[str, str]) -> Any:
        self.tags.setdefault(resource, {}).update(tags)
        return {}

    def _untag(self, resource: str, keys: Sequence[str]) -> Any:
        for key in keys:
            self.tags.get(resource, {}).pop(key, None)
        return {}

    def _get_concurrency(self, region: str, asked: Params) -> Any:
        found = self.concurrency.get((region, asked["FunctionName"]))
        return {} if found is None else {"ReservedConcurrentExecutions": found}

    def _put_concurrency(self, region: str, asked: Params) -> Any:
        self.concurrency[region, asked["FunctionName"]] = asked["ReservedConcurrentExecutions"]
        return {"ReservedConcurrentExecutions": asked["ReservedConcurrentExecutions"]}

    def _delete_concurrency(self, region: str, asked: Params) -> Any:
        self.concurrency.pop((region, asked["FunctionName"]), None)
        return {}

    def _get_parameter(self, region: str, asked: Params) -> Any:
        if (region, asked["Name"]) not in self.parameters:
            raise Refused("ParameterNotFound")
        return {"Parameter": {"Name": asked["Name"], "Value": self.parameters[region, asked["Name"]]}}

    def _put_parameter(self, region: str, asked: Params) -> Any:
        self.parameters[region, asked["Name"]] = asked["Value"]
        return {"Version": 2}

    def _create_schedule(self, region: str, asked: Params) -> Any:
        if (region, asked["Name"]) in self.schedules:
            raise Refused("ConflictException", 409)
        self.schedules[region, asked["Name"]] = dict(asked)
        return {"ScheduleArn": f"arn:aws:scheduler:{region}:123456789012:schedule/g/{asked['Name']}"}

    def _get_schedule(self, region: str, asked: Params) -> Any:
        if (region, asked["Name"]) not in self.schedules:
            raise Refused("ResourceNotFoundException", 404)
        return {"Name": asked["Name"]}

    def _delete_schedule(self, region: str, asked: Params) -> Any:
        if self.schedules.pop((region, asked["Name"]), None) is None:
            raise Refused("ResourceNotFoundException", 404)
        return {}

    def _create_template(self, region: str, asked: Params) -> Any:
        known = next(
            (one for one in self.templates.values() if one["token"] == asked["clientToken"]),
            None,
        )
        made = known or {"id": f"EXT{len(self.templates) + 1}", "token": asked["clientToken"], "asked": asked}
        self.templates[made["id"]] = made
        return {"experimentTemplate": {"id": made["id"], "tags": asked["tags"]}}

    def _delete_template(self, region: str, asked: Params) -> Any:
        if self.templates.pop(asked["id"], None) is None:
            raise Refused("ResourceNotFoundException", 404)
        return {"experimentTemplate": {"id": asked["id"]}}

    def _list_templates(self, region: str, _asked: Params) -> Any:
        return {
            "experimentTemplates": [
                {"id": one["id"], "tags": one["asked"]["tags"]} for one in self.templates.values()
            ]
        }

    def _start_experiment(self, region: str, asked: Params) -> Any:
        if asked["experimentTemplateId"] not in self.templates:
            raise Refused("ResourceNotFoundException", 404)
        known = next(
            (one for one in self.experiments.values() if one["token"] == asked["clientToken"]),
            None,
        )
        made = known or {
            "id": f"EXP{len(self.experiments) + 1}",
            "token": asked["clientToken"],
            "tags": asked["tags"],
            "targets": self.templates[asked["experimentTemplateId"]]["asked"]["targets"],
            "actions": self.templates[asked["experimentTemplateId"]]["asked"]["actions"],
            "looks": 0,
            "state": {"status": "initiating", "reason": "It begins."},
        }
        self.experiments[made["id"]] = made
        return {"experiment": {"id": made["id"], "state": made["state"], "tags": made["tags"]}}

    def _stop_experiment(self, region: str, asked: Params) -> Any:
        experiment = self.experiments[asked["id"]]
        experiment |= {"looks": 0, "state": {"status": "stopping", "reason": "It ends."}}
        return {"experiment": {"id": asked["id"], "state": experiment["state"]}}

    def _get_experiment(self, region: str, asked: Params) -> Any:
        experiment = self._look(self.experiments[asked["id"]])
        return {
            "experiment": {name: experiment[name] for name in ("id", "state", "tags", "targets", "actions")}
        }

    def _list_experiments(self, region: str, _asked: Params) -> Any:
        found = [self._look(one) for one in self.experiments.values()]
        return {"experiments": [{name: one[name] for name in ("id", "state", "tags")} for one in found]}

    def _look(self, experiment: dict[str, Any]) -> dict[str, Any]:
        """The experiment a moment later."""
        experiment["looks"] += 1
        match experiment["state"]["status"]:
            case "initiating" if experiment["looks"] > self.starting:
                experiment["state"] = {"status": self.ends_as, "reason": "So it is."}
            case "stopping" if experiment["looks"] > self.stopping:
                experiment["state"] = {"status": "stopped", "reason": "It was stopped."}
        return experiment


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


async def _no_region(_region: str) -> None:
    raise AssertionError("no drill adds a region")


async def _no_https() -> None:
    raise AssertionError("no drill asks for TLS")


def _response(status: int) -> AWSResponse:
    return AWSResponse("", status, HTTPHeaders(), None)


_making = Lock()
"""A session may not be shared by threads that make clients."""


@cache
def _session() -> boto3.session.Session:
    """One for all worlds: it reads each service's description once, which takes longer than a client."""
    return boto3.session.Session()


class FakeCloudAws(Aws):
    """Real clients of the world that `world` is at the moment."""

    world: FakeCloud

    @classmethod
    def of(cls, endpoints: Endpoints | None = None) -> "FakeCloudAws":
        """Clients of an AWS, or with `endpoints` of an embedded one."""
        aws = cls(endpoints)
        object.__setattr__(aws, "world", FakeCloud())
        return aws

    def _build(self, service: str, region: str) -> Any:
        with _making:
            client = _session().client(
                service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x"
            )
        asked: dict[int, Params] = {}  # by thread: several share a client, and a call is made in one

        def remember(params: Params, **_rest: object) -> None:
            asked[get_ident()] = dict(params)

        def answer(model: OperationModel, **_rest: object) -> tuple[AWSResponse, Any]:
            name = f"{model.service_model.service_id}.{model.name}"
            try:
                said = self.world.carry_out(Call(name, region, asked.pop(get_ident())))
            except Refused as refused:
                error = {"Code": refused.code, "Message": refused.message}
                parsed = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": refused.status}}
                return _response(refused.status), parsed
            if model.output_shape is not None:
                validate_parameters(said, model.output_shape)
            return _response(200), {**said, "ResponseMetadata": {"HTTPStatusCode": 200}}

        client.meta.events.register("before-parameter-build.*.*", remember)
        client.meta.events.register("before-call.*.*", answer)
        return client
