"""What a call is authorized as, as on AWS: its action and resource, its tags, and the role that it passes.

The service authorization reference lists for each action the resource types and condition keys that AWS
looks at. ministack knows them for most calls; here are those that payinfra makes and it does not.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from payinfra.local.emulator import Emulator

EVERYTHING = "*"


@dataclass(frozen=True)
class Call:
    """A request, as far as authorization looks at it."""

    service: str
    action: str
    method: str
    path: str
    parameters: Mapping[str, Any]
    body: bytes
    region: str
    account: str

    def text(self, name: str) -> str:
        """A parameter that is one text; empty where there is none."""
        value = self.parameters.get(name)
        value = value[0] if isinstance(value, list) and value else value
        return value if isinstance(value, str) else ""

    def first(self, name: str) -> str:
        """The first of a parameter's texts, in either form that AWS's protocols write a list in."""
        return self.text(f"{name}.member.1") or self.text(name)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in the region and account of the call."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class Passed:
    """A role that a call hands to a service, which needs iam:PassRole."""

    role_arn: str
    service: str


@dataclass(frozen=True)
class Besides:
    """What AWS looks at besides the call's own action and resource."""

    passed: Passed | None = None
    resources: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)


_besides: ContextVar[Besides | None] = ContextVar("payinfra_besides", default=None)
_refused: ContextVar[str] = ContextVar("payinfra_refused", default="")


def install(emulator: Emulator) -> None:
    """Makes the corrections."""
    actions, evaluator = emulator.core("iam_actions"), emulator.core("iam_evaluator")
    tagging, iam, functions = (emulator.service(name) for name in ("tagging", "iam", "lambda_svc"))
    routes = {**actions._BOTOCORE_SERVICE_MAP, "lambda": ["lambda"]}
    emulator.replace(actions, "_BOTOCORE_SERVICE_MAP", routes)
    collectors = {**tagging._COLLECTORS, **tagging._RESOURCE_TAG_COLLECTORS}
    emulator.replace(tagging, "_RESOURCE_TAG_COLLECTORS", collectors)
    emulator.replace(
        actions,
        "_lambda_action",
        lambda_action_is_the_operation(actions._match_rest_action, actions._lambda_action),
    )
    emulator.replace(actions, "_tag_operations", api_gateway_calls_carry_tags(actions._tag_operations))
    emulator.replace(
        actions,
        "extract_resource_arn",
        resource_is_awss_own(actions, iam, functions, actions.extract_resource_arn),
    )
    emulator.replace(evaluator, "enforce", all_that_aws_looks_at(evaluator.enforce))
    emulator.replace(
        actions, "access_denied_response", refusal_names_what_is_missing(actions.access_denied_response)
    )
    emulator.replace(tagging, "resource_tags", below_an_api_its_tags_count(tagging.resource_tags))


def lambda_action_is_the_operation(
    match: Callable[..., str | None], original: Callable[[str, str], str | None]
) -> Callable[[str, str], str | None]:
    """AWS: GetAlias is authorized as lambda:GetAlias, and so each operation as itself."""

    def action_of(method: str, path: str) -> str | None:
        found = match("lambda", method, path, {})
        if found is None or found.startswith("Invoke"):
            return original(method, path)
        return found

    return action_of


def api_gateway_calls_carry_tags(
    original: Callable[[str], frozenset[str]],
) -> Callable[[str], frozenset[str]]:
    """AWS: aws:RequestTag holds the tags of what a POST or PUT to API Gateway makes."""

    def operations(service: str) -> frozenset[str]:
        return frozenset(("POST", "PUT")) if service == "apigateway" else original(service)

    return operations


def resource_is_awss_own(
    actions: Any, iam: Any, functions: Any, original: Callable[..., str]
) -> Callable[..., str]:
    """AWS: what a call is about is known by the call, under each of its names."""

    def resource_of(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, Any],
        region: str,
        account: str,
    ) -> str:
        action = actions.extract_iam_action(service, method, path, headers, body, query) or ""
        call = Call(service, action, method, path, _parameters(body, query), body, region, account)
        _refused.set("")
        _besides.set(Besides(_passed(call), _other_resources(call), _context(call, iam, functions)))
        found = original(service, method, path, headers, body, query, region, account)
        return found if found != EVERYTHING else _resource(call)

    return resource_of


def all_that_aws_looks_at(original: Callable[..., Any]) -> Callable[..., Any]:
    """AWS: a call that hands a role to a service needs iam:PassRole on it; one that touches two resources
    needs its action on both."""

    def enforce(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = EVERYTHING,
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        besides = _besides.get() or Besides()
        context = {**(service_context or {}), **besides.context}
        for resource in (resource_arn, *besides.resources):
            if refused := original(access_key, action, service, region, resource, context):
                return refused
        if besides.passed is None:
            return None
        to = {"iam:PassedToService": besides.passed.service}
        refused = original(access_key, "iam:PassRole", "iam", region, besides.passed.role_arn, to)
        if refused:
            _refused.set("iam:PassRole")
        return refused

    return enforce


def refusal_names_what_is_missing(original: Callable[..., Any]) -> Callable[..., Any]:
    """AWS: who may not pass the role is told so, not that the call itself is not allowed."""

    def respond(service: str, action: str, *args: Any, **kwargs: Any) -> Any:
        return original(service, _refused.get() or action, *args, **kwargs)

    return respond


def below_an_api_its_tags_count(
    original: Callable[[str], dict[str, str] | None],
) -> Callable[[str], dict[str, str] | None]:
    """AWS: what is below an API, a plan or a domain has its tags for access control (API Gateway developer
    guide, "API Gateway resources that can be tagged")."""

    def tags_of(arn: str) -> dict[str, str] | None:
        found = re.fullmatch(r"(arn:aws:apigateway:[^:]+::)/(tags/)?(.+)", arn)
        if found is None:
            return original(arn)
        resource = unquote(found[3]).rpartition("::")[2] if found[2] else f"/{found[3]}"
        return original(found[1] + "/".join(resource.split("/")[:3]))

    return tags_of


def _parameters(body: bytes, query: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of a call in whichever of AWS's protocols it came."""
    try:
        decoded = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        decoded = {}
    return {**query, **decoded} if isinstance(decoded, dict) else query


def _resource(call: Call) -> str:
    """The resource of those calls that ministack authorizes for everything."""
    match call.service:
        case "lambda" if call.action == "lambda:CreateFunction":
            return call.arn("lambda", f"function:{call.text('FunctionName')}")
        case "monitoring":
            if alarm := call.first("AlarmNames"):
                return call.arn("cloudwatch", f"alarm:{alarm}")
            if dashboard := call.text("DashboardName") or call.first("DashboardNames"):
                return f"arn:aws:cloudwatch::{call.account}:dashboard/{dashboard}"
            return call.text("ResourceARN") or EVERYTHING
        case "route53":
            found = re.search(r"/(healthcheck|change|tags/healthcheck|tags/hostedzone)/([^/]+)", call.path)
            return f"arn:aws:route53:::{found[1].removeprefix('tags/')}/{found[2]}" if found else EVERYTHING
        case "sns":
            topic = call.text("SubscriptionArn").rpartition(":")[0]
            return topic or call.text("ResourceArn") or EVERYTHING
        case "iam":
            return call.text("PolicySourceArn") or EVERYTHING
        case "kms" if alias := call.text("AliasName"):
            return call.arn("kms", alias)
        case "ssm" if name := call.first("Names"):
            return call.arn("ssm", f"parameter/{name.lstrip('/')}")
        case "dynamodb":
            return call.text("ResourceArn") or EVERYTHING
    return EVERYTHING


def _other_resources(call: Call) -> tuple[str, ...]:
    """An alias is made, moved and removed with permission on its key as well."""
    key = call.text("TargetKeyId") if call.service == "kms" else ""
    if not key:
        return ()
    return (key if key.startswith("arn:") else call.arn("kms", f"key/{key}"),)


def _passed(call: Call) -> Passed | None:
    """The role that a call hands on, and to whom."""
    match call.action:
        case "lambda:CreateFunction" | "lambda:UpdateFunctionConfiguration" if role := call.text("Role"):
            return Passed(role, "lambda.amazonaws.com")
        case "s3:PutReplicationConfiguration" if found := re.search(rb"<Role>([^<]+)</Role>", call.body):
            return Passed(found[1].decode(), "s3.amazonaws.com")
        case "apigateway:PATCH" if call.path.rstrip("/") == "/account":
            roles = (
                str(operation.get("value", ""))
                for operation in call.parameters.get("patchOperations", ())
                if operation.get("path") == "/cloudwatchRoleArn"
            )
            return next((Passed(role, "apigateway.amazonaws.com") for role in roles if role), None)
    return None


def _context(call: Call, iam: Any, functions: Any) -> Mapping[str, Any]:
    """The condition keys of IAM's and Lambda's own."""
    if call.service == "iam" and (name := call.text("RoleName")):
        boundary = call.text("PermissionsBoundary") or (iam._roles.get(name) or {}).get("PermissionsBoundary")
        return {"iam:PermissionsBoundary": boundary} if boundary else {}
    if call.service == "lambda" and (
        found := re.search(r"/event-source-mappings(?:/([^/]+))?/?$", call.path)
    ):
        known = (functions._esms.get(found[1]) or {}) if found[1] else {}
        function = call.text("FunctionName") or known.get("FunctionArn", "")
        return {"lambda:FunctionArn": function} if function else {}
    return {}
