"""What a call is authorized as, as on AWS: its action and resource, its tags, and the role that it passes.

The service authorization reference lists for each action the resource types and condition keys that AWS
looks at. ministack knows them for most calls; here are those that payinfra makes and it does not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from payinfra.core.json_text import parse_json
from payinfra.local.server.global_tables import key_schema
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.kms_permissions import SSE_KEY, keys_used
from payinfra.local.server.patches.permission_checks import Call, PermissionCheck
from payinfra.local.server.recording import asked

EVERYTHING = "*"


@dataclass(frozen=True)
class RequestAuthorization:
    """What AWS looks at besides the call's own action and resource."""

    resources: tuple[str, ...] = ()
    asks: tuple[PermissionCheck, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)


_request_auth: ContextVar[RequestAuthorization | None] = ContextVar("payinfra_besides", default=None)
_refused: ContextVar[PermissionCheck | None] = ContextVar("payinfra_refused", default=None)


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    actions, evaluator = emulator.core("iam_actions"), emulator.core("iam_evaluator")
    tagging = emulator.service("tagging")
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
        resource_is_awss_own(emulator, actions, keys_used(emulator), actions.extract_resource_arn),
    )
    account = emulator.core("responses").get_account_id
    emulator.replace(
        evaluator,
        "enforce",
        all_that_aws_looks_at(
            evaluator.enforce,
            lambda region: emulator.scope(account(), region),
            # As they are, also while policies do not see them yet.
            below_an_api_its_tags_count(tagging.resource_tags),
            evaluator.caller_arn,
        ),
    )
    emulator.replace(
        actions,
        "access_denied_response",
        refusal_names_what_is_missing(actions.access_denied_response, actions.identity_denial_message),
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
    emulator: Emulator,
    actions: Any,
    keys: Callable[[Call], tuple[PermissionCheck, ...]],
    original: Callable[..., str],
) -> Callable[..., str]:
    """AWS: what a call is about is known by the call, under each of its names."""

    def resource_of(  # noqa: PLR0917 - as it is called by the one it stands for
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
        # What an object holds, or a function is told, is nobody's parameter.
        opaque = service == "s3" or action == "lambda:InvokeFunction"
        parameters = query if opaque else _parameters(body, query)
        call = Call(service, action, method, path, headers, parameters, body, region, account)
        _refused.set(None)
        found = original(service, method, path, headers, body, query, region, account)
        resource = _qualified(call, found) if found != EVERYTHING else _resource(call)
        tags = actions.request_tag_context(service, action, body, query)
        asks = (*_passed(call), *_tagged(call), *_made_with_tags(call, resource, tags), *keys(call))
        asks += tuple(_put_with_more(call, resource))
        _request_auth.set(RequestAuthorization(_other_resources(call), asks, _context(call, emulator)))
        return resource

    return resource_of


def all_that_aws_looks_at(
    original: Callable[..., Any],
    in_region: Callable[[str], AbstractContextManager[None]],
    tags_of: Callable[[str], dict[str, str] | None],
    caller: Callable[[], str],
) -> Callable[..., Any]:
    """AWS: a call that hands a role to a service needs iam:PassRole on it; one that touches two resources
    needs its action on both; one whose service uses a customer key needs the use of that key."""

    def note(action: str, region: str, resource: str, context: Mapping[str, Any]) -> None:
        """For the record, where one is kept."""
        if (record := asked.get()) is not None:
            with in_region(region):
                tags = tags_of(resource) or {}
            record.append(
                {
                    "action": action,
                    "region": region,
                    "resource": resource,
                    "context": dict(context),
                    "tags": tags,
                    "caller": caller(),
                }
            )

    def enforce(  # noqa: PLR0917 - as it is called by the one it stands for
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = EVERYTHING,
        service_context: Mapping[str, Any] | None = None,
    ) -> Any:
        besides = _request_auth.get() or RequestAuthorization()
        context = {**(service_context or {}), **besides.context}
        for resource in (resource_arn, *besides.resources):
            note(action, region, resource, context)
            if refused := original(access_key, action, service, region, resource, context):
                return refused
        for ask in besides.asks:
            note(ask.action, ask.region, ask.resource, ask.context)
            with in_region(ask.region):
                refused = original(access_key, ask.action, ask.service, ask.region, ask.resource, ask.context)
            if refused:
                _refused.set(ask)
                return refused
        # Once for a call, on however many resources it is made.
        _request_auth.set(replace(besides, asks=()))
        return None

    return enforce


def refusal_names_what_is_missing(
    original: Callable[..., Any], words: Callable[[str, str, str, bool], str]
) -> Callable[..., Any]:
    """AWS: who may not pass the role or use the key is told so, not that the call itself is not allowed."""

    def respond(service: str, action: str, principal: str, *args: Any, **kwargs: Any) -> Any:
        ask = _refused.get()
        if ask is None:
            return original(service, action, principal, *args, **kwargs)
        said = words(ask.action, principal, ask.resource, kwargs.get("explicit_deny", False))
        if (service, ask.service) == ("dynamodb", "kms"):
            said = f"KMS key access denied error: {said}"
        told = {**kwargs, "message": said, "resource_arn": ask.resource}
        return original(service, ask.action, principal, *args, **told)

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
        decoded = parse_json(body) if body[:1] == b"{" else {}
    except ValueError:
        decoded = {}
    return {**query, **decoded} if isinstance(decoded, dict) else query


def _qualified(call: Call, function: str) -> str:
    """Who invokes a version or an alias needs permission on that, and not on the function (Lambda developer
    guide, "Using version and alias ARNs in policies": a policy that references an unqualified ARN denies
    requests that reference a qualified one)."""
    invokes = call.service == "lambda" and call.action == "lambda:InvokeFunction"
    qualifier = call.text("Qualifier") if invokes else ""
    return f"{function}:{qualifier}" if qualifier and function.count(":") == 6 else function


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


def _passed(call: Call) -> tuple[PermissionCheck, ...]:
    """The role that a call hands on, and to whom."""
    return tuple(
        PermissionCheck("iam:PassRole", role, call.region, {"iam:PassedToService": service})
        for role, service in _roles_handed_on(call)
        if role
    )


def _tagged(call: Call) -> tuple[PermissionCheck, ...]:
    """Tags at API Gateway are put below `/tags`, which is authorized as well as what they are put on.

    What is made with tags has none yet by which the second could be allowed, only those of the request (seen
    on AWS: `apigateway:PUT on …::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2F*`). Who tags
    what is there already must be allowed to change it: `apigateway:PATCH` on the resource itself.
    """
    tags, path = call.parameters.get("tags"), call.path.rstrip("/")
    if not isinstance(tags, dict) or not tags:
        return ()
    if call.action == "apigateway:PUT" and path.startswith("/tags/"):
        return (PermissionCheck("apigateway:PATCH", unquote(path.removeprefix("/tags/")), call.region),)
    if call.action != "apigateway:POST":
        return ()
    below = call.text("stageName") if path.endswith("/stages") else "*"
    made = f"arn:aws:apigateway:{call.region}::{path}/{below}"
    asked = f"arn:aws:apigateway:{call.region}::/tags/{quote(made, safe='*')}"
    context = {f"aws:RequestTag/{name}": value for name, value in tags.items()}
    return (PermissionCheck("apigateway:PUT", asked, call.region, context),)


TAGGING: Mapping[str, str] = MappingProxyType(
    {
        "acm:RequestCertificate": "acm:AddTagsToCertificate",
        "cloudwatch:PutCompositeAlarm": "cloudwatch:TagResource",
        "cloudwatch:PutMetricAlarm": "cloudwatch:TagResource",
        "dynamodb:CreateTable": "dynamodb:TagResource",
        "iam:CreateOpenIDConnectProvider": "iam:TagOpenIDConnectProvider",
        "iam:CreatePolicy": "iam:TagPolicy",
        "iam:CreateRole": "iam:TagRole",
        "iam:CreateUser": "iam:TagUser",
        "kms:CreateKey": "kms:TagResource",
        "kms:ReplicateKey": "kms:TagResource",
        "lambda:CreateFunction": "lambda:TagResource",
        "logs:CreateLogGroup": "logs:TagResource",
        "sns:CreateTopic": "sns:TagResource",
        "sqs:CreateQueue": "sqs:TagQueue",
        "ssm:PutParameter": "ssm:AddTagsToResource",
    }
)
"""What making something with tags takes beside the permission to make it (each API reference, "Tags" of the
operation; service authorization reference, "Dependent actions")."""
MADE_UNDER_A_NAME_OF_AWSS = {"acm": "certificate/*", "kms": "key/*"}


def _made_with_tags(call: Call, resource: str, tags: Mapping[str, Any]) -> tuple[PermissionCheck, ...]:
    """AWS: what is made with tags takes the permission to tag it as well."""
    action = TAGGING.get(call.action)
    if action is None or not tags:
        return ()
    if resource == EVERYTHING and call.service in MADE_UNDER_A_NAME_OF_AWSS:
        resource = call.arn(call.service, MADE_UNDER_A_NAME_OF_AWSS[call.service])
    return (PermissionCheck(action, resource, call.region, tags),)


PUT_WITH: Mapping[str, str] = MappingProxyType(
    {
        "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
        "x-amz-object-lock-mode": "s3:PutObjectRetention",
        "x-amz-tagging": "s3:PutObjectTagging",
    }
)
"""What an object that is put with such a header takes beside s3:PutObject (S3 API reference, PutObject,
"Permissions")."""


def _put_with_more(call: Call, resource: str) -> Iterator[PermissionCheck]:
    if call.action == "s3:PutObject" and not call.text("uploadId"):
        given = {name.lower() for name in call.headers}
        for header, action in PUT_WITH.items():
            if header in given:
                yield PermissionCheck(action, resource, call.region)


def _roles_handed_on(call: Call) -> Iterator[tuple[str, str]]:
    match call.action:
        case "lambda:CreateFunction" | "lambda:UpdateFunctionConfiguration":
            yield call.text("Role"), "lambda.amazonaws.com"
        case "s3:PutReplicationConfiguration":
            found = re.search(rb"<Role>([^<]+)</Role>", call.body)
            yield (found[1].decode() if found else ""), "s3.amazonaws.com"
        case "apigateway:PATCH" if call.path.rstrip("/") == "/account":
            for operation in call.parameters.get("patchOperations", ()):
                if operation.get("path") == "/cloudwatchRoleArn":
                    yield str(operation.get("value", "")), "apigateway.amazonaws.com"


def _context(call: Call, emulator: Emulator) -> Mapping[str, Any]:
    """The condition keys of DynamoDB's, IAM's, Lambda's and S3's own.

    S3's are what a write's own request names (service authorization reference, "Condition keys for Amazon
    S3"). The key's id is passed as it was given: AWS does not document that it resolves an alias first.
    """
    iam, functions = emulator.service("iam"), emulator.service("lambda_svc")
    if call.service == "dynamodb":
        leading = sorted(set(_leading_keys(call, emulator.service("dynamodb")._tables)))
        return {"dynamodb:LeadingKeys": leading} if leading else {}
    if call.action == "s3:PutObject":
        named = {name.lower(): value for name, value in call.headers.items()}.get(SSE_KEY)
        return {f"s3:{SSE_KEY}": named} if named else {}
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


def _leading_keys(call: Call, tables: Any) -> Iterator[str]:
    """AWS: `dynamodb:LeadingKeys` are the values of the partition key in a request (DynamoDB developer guide,
    "Using IAM policy conditions for fine-grained access control")."""
    steps: list[Mapping[str, Any]] = [call.parameters]
    for item in call.parameters.get("TransactItems") or ():
        steps += [one for one in item.values() if isinstance(one, dict)]
    for name, wanted in (call.parameters.get("RequestItems") or {}).items():
        requests = wanted if isinstance(wanted, list) else [{"Key": one} for one in wanted.get("Keys") or ()]
        for request in requests:
            inner = request.get("PutRequest") or request.get("DeleteRequest") or request
            steps.append({"TableName": name, **inner})
    for step in steps:
        table = tables.get(str(step.get("TableName", "")).rpartition("/")[2]) or {}
        schema = key_schema(table, str(step.get("IndexName") or ""))
        partition = next((one["AttributeName"] for one in schema if one["KeyType"] == "HASH"), "")
        value = (step.get("Key") or step.get("Item") or {}).get(partition)
        names = step.get("ExpressionAttributeNames") or {}
        for name, given in _EQUALS.findall(str(step.get("KeyConditionExpression") or "")):
            if names.get(name, name) == partition:
                value = (step.get("ExpressionAttributeValues") or {}).get(given)
        if isinstance(value, dict):
            yield from (str(one) for one in value.values())


_EQUALS = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")
