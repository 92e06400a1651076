"""Checks of API Gateway: keys, plans, entrances, permissions, logs, validation and throttling."""

import json
import re
from collections.abc import Iterator

from payinfra.checks.manifest import Block, Json, Manifest, Missing, Resource, Unreadable, Unresolved
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy import entrances, invocation
from payinfra.checks.policy.entrances import FUNCTION_URL, HTTP_API, ROUTE
from payinfra.checks.policy.json_schemas import schema_refuses
from payinfra.checks.policy.openapi import Definition, DocumentedOperation, definition_of
from payinfra.checks.policy.routes import api_of
from payinfra.checks.policy.verdict_helpers import (
    above_zero,
    flag_off,
    flag_on,
    nested,
    pass_unless,
    region_of,
    require_one_of,
    secrets_in,
    serving_regions,
    verdict_for_gap,
)

_METHOD = "aws_api_gateway_method"
_API = "aws_api_gateway_rest_api"
_MODEL = "aws_api_gateway_model"
_STAGE = "aws_api_gateway_stage"
_STAGES = (_STAGE, "aws_api_gateway_deployment")
_HTTP_STAGE = "aws_apigatewayv2_stage"
_WITH_BODY = ("POST", "PUT", "PATCH", "ANY")
_EVERYTHING = ("*/*",)


@check(
    id="PI-API-001",
    title="An API key is joined to a usage plan",
    severity=Severity.HIGH,
    on="aws_api_gateway_api_key",
    risk="A key that no plan knows is refused with 403 on every call.",
    fix="Add an aws_api_gateway_usage_plan_key that names the key and the plan.",
)
def key_has_a_plan(key: Resource, manifest: Manifest) -> Verdict:
    """The plan must be one that the file has, or one that is named from elsewhere."""
    if key.flag("enabled") is False:
        return Verdict.failed("it is not enabled")
    joins = manifest.attached(key, "aws_api_gateway_usage_plan_key", by="key_id")
    for join in joins.resources:
        plans = manifest.referents(join, "usage_plan_id")
        if any(plan.type == "aws_api_gateway_usage_plan" for plan in plans):
            return Verdict.passed()
        plan = join.text("usage_plan_id")
        if isinstance(plan, Unresolved):
            return Verdict.unknown(f"{join.address}: {plan.why}")
    if joins.unclear:
        return Verdict.unknown(f"{joins.unclear[0].address} may join it: its key is unknown")
    return Verdict.failed("no aws_api_gateway_usage_plan_key joins it to a plan")


@check(
    id="PI-API-002",
    title="A usage plan is joined to a stage",
    severity=Severity.HIGH,
    on="aws_api_gateway_usage_plan",
    risk="Keys of a plan without a stage open nothing: every call is refused with 403.",
    fix="Add an api_stages block with the API's id and the stage's name.",
)
def plan_has_a_stage(plan: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Both halves of every api_stages block."""
    stages = plan.blocks("api_stages")
    if isinstance(stages, Unreadable):
        return (verdict_for_gap(stages, "it has no api_stages"),)
    found: list[Verdict] = []
    for stage in stages:
        apis = [one for one in manifest.referents(stage, "api_id") if one.type == _API]
        for named in manifest.referents(stage, "stage"):
            of = api_of(named, manifest)
            if apis and of is not None and of not in apis:
                found.append(Verdict.failed(f"{stage.path}: {named.address} is a stage of {of.address}"))
        for path, types in (
            ("api_id", (_API,)),
            ("stage", _STAGES),
        ):
            if any(one.type in types for one in manifest.referents(stage, path)):
                continue
            match stage.text(path):
                case Unreadable() as gap:
                    found.append(verdict_for_gap(gap, f"{stage.path} has no {path}"))
                case "":
                    found.append(Verdict.failed(f"{stage.path} has an empty {path}"))
                case text if path == "stage" and (made := _stage_names(apis, manifest)) and text not in made:
                    found.append(Verdict.failed(f"{stage.path}: no stage of its API is named {text!r}"))
                case text if path == "api_id" and not re.fullmatch(r"[a-z0-9]{6,}", text):
                    found.append(Verdict.unknown(f"{stage.path}.{path} is {text!r}, which is no API's id"))
    return pass_unless(found)


def _stage_names(apis: list[Resource], manifest: Manifest) -> frozenset[str]:
    """The names of the stages that the file makes of an API; none where one of them is not known."""
    names = [
        one.text("stage_name")
        for one in manifest.all(*_STAGES)
        if api_of(one, manifest) in apis and one.has("stage_name")
    ]
    known = [name for name in names if isinstance(name, str)]
    return frozenset(known if len(known) == len(names) else ())


@check(
    id="PI-API-003",
    title="Every public entrance but health and CORS requires the API key or authorizes the caller",
    severity=Severity.HIGH,
    on=(_METHOD, _API, HTTP_API, ROUTE, FUNCTION_URL),
    risk="Anyone on the internet may send payments, and no quota counts them.",
    fix="Set api_key_required to true on the method, or give the method, route or function URL an "
    "authorizer.",
)
def entrance_is_guarded(resource: Resource, manifest: Manifest) -> Verdict | tuple[Verdict, ...]:
    """REST methods, routes of HTTP and WebSocket APIs, operations of OpenAPI bodies, function URLs."""
    return entrances.judge(resource, manifest)


@check(
    id="PI-API-004",
    title="Every integration may call its function",
    severity=Severity.HIGH,
    on=("aws_api_gateway_integration", "aws_apigatewayv2_integration"),
    risk="API Gateway is not allowed to call the function and answers 500.",
    fix="Add an aws_lambda_permission for apigateway.amazonaws.com whose source_arn covers stage and route.",
)
def integration_may_call(integration: Resource, manifest: Manifest) -> Verdict:
    """Name, qualifier and source of the permissions must all fit the integration."""
    return invocation.judge(integration, manifest)


@check(
    id="PI-API-005",
    title="Stages write execution and access logs, and no bodies or keys into them",
    severity=Severity.MEDIUM,
    on=(_STAGE, _HTTP_STAGE),
    risk="Nobody can tell who called what, or the log holds card numbers and keys.",
    fix="Add access_log_settings to the stage, and method settings for */* with logging_level INFO or ERROR "
    "and data_trace_enabled false.",
    controls=("AWS FSBP APIGateway.1",),
)
def stage_writes_logs(stage: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """Execution logs depend on the account's CloudWatch role too, which is not in a stack."""
    found = list(_access_log(stage, manifest))
    if stage.type == _HTTP_STAGE:
        for path in ("default_route_settings", "route_settings"):
            blocks = nested(stage, path)
            for block in () if isinstance(blocks, Unreadable) else blocks:
                found += flag_off(block, "data_trace_enabled", f"{block.path} {_TRACES}")
        return pass_unless(found)
    settings = _settings(stage, manifest)
    if not settings:
        found.append(Verdict.failed("no aws_api_gateway_method_settings turn its execution log on"))
    for one in settings:
        found += flag_off(one, "settings.data_trace_enabled", f"{one.address} {_TRACES}", stage.address)
        # Settings of one method replace those of */* for it.
        found += require_one_of(
            one, "settings.logging_level", ("INFO", "ERROR"), "its execution log is off", stage.address
        )
        of_what = one.text("method_path")
        if isinstance(of_what, Unreadable) or not of_what:
            gap = of_what if isinstance(of_what, Unreadable) else Missing("method_path")
            found.append(verdict_for_gap(gap, f"{one.address} has no method_path"))
    if settings and not any(one.text("method_path") in _EVERYTHING for one in settings):
        found.append(Verdict.failed("no method settings are for */*"))
    return pass_unless(found)


_TRACES = "writes requests and answers into the log (data_trace_enabled)"
_SECRETS_OF_CALLERS = re.compile(r"\$context\.identity\.apiKey(?!\w)|\$context\.authorizer\.token(?!\w)")


def _access_log(stage: Resource, manifest: Manifest) -> Iterator[Verdict]:
    match stage.template("access_log_settings.destination_arn"):
        case Unreadable() as gap:
            yield verdict_for_gap(gap, "it writes no access log")
        case "":
            yield Verdict.failed("its access log has no destination")
        case text if not manifest.referents(stage, "access_log_settings") and not text.startswith(
            ("arn:", "${")
        ):
            yield Verdict.unknown(f"its access log's destination is {text!r}, which is no ARN")
    form = stage.template("access_log_settings.format")
    if isinstance(form, str) and _SECRETS_OF_CALLERS.search(form):
        yield Verdict.failed("its access log writes callers' keys or tokens (access_log_settings.format)")


def _settings(stage: Resource, manifest: Manifest) -> list[Resource]:
    """The method settings of a stage."""
    api = api_of(stage, manifest)
    name = stage.text("stage_name")
    return [
        one
        for one in manifest.all("aws_api_gateway_method_settings")
        if stage in manifest.referents(one, "stage_name")
        or (api is not None and api_of(one, manifest) is api and one.text("stage_name") == name)
    ]


@check(
    id="PI-API-006",
    title="Every method with a body validates it",
    severity=Severity.HIGH,
    on=(_METHOD, _API),
    risk="Malformed payments reach, and are billed to, the function.",
    fix="Give the method a request validator with validate_request_body, and a model for application/json.",
)
def method_validates_its_body(method: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """POST, PUT, PATCH and ANY carry bodies; what API Gateway answers itself reaches nobody."""
    if method.type == _API:
        return _documented(method)
    verb = method.text("http_method")
    if isinstance(verb, Unreadable):
        return (verdict_for_gap(verb, "it has no http_method"),)
    if verb not in _WITH_BODY:
        return (Verdict.not_applicable(f"{verb} carries no body"),)
    if _is_answered_by_the_gateway(method, manifest):
        return (Verdict.not_applicable("a mock answers it, and reads no body"),)
    found: list[Verdict] = []
    validators = [
        one
        for one in manifest.referents(method, "request_validator_id")
        if one.type == "aws_api_gateway_request_validator"
    ]
    if validators:
        for one in validators:
            found += flag_on(one, "validate_request_body", f"{one.address} does not validate bodies")
    else:
        gap = method.text("request_validator_id")
        if isinstance(gap, Unreadable):
            found.append(verdict_for_gap(gap, "it has no request validator"))
        else:
            found.append(Verdict.unknown(f"its validator {gap!r} is not in this file"))
    models = method.mapping("request_models")
    if isinstance(models, Unreadable):
        found.append(verdict_for_gap(models, "it has no request model"))
    elif not any(kind.startswith("application/json") and model for kind, model in models.items()):
        found.append(Verdict.failed("it has no request model for application/json"))
    else:
        for name in models.values():
            found += _model(name, method, manifest)
    return pass_unless(dict.fromkeys(found))


def _is_answered_by_the_gateway(method: Resource, manifest: Manifest) -> bool:
    """Whether a mock integration answers it: nothing receives the body then."""
    place, verb = method.template("resource_id"), method.text("http_method")
    integrations = [
        one
        for one in manifest.all("aws_api_gateway_integration")
        if method in manifest.referents(one, "http_method")
        or (one.template("resource_id"), one.text("http_method")) == (place, verb)
    ]
    return bool(integrations) and all(one.text("type") == "MOCK" for one in integrations)


def _documented(api: Resource) -> tuple[Verdict, ...]:
    """The operations of an API's OpenAPI document."""
    match definition_of(api):
        case Missing():
            return (Verdict.not_applicable("no document defines it"),)
        case Definition() as definition:
            return pass_unless(verdict for one in definition.operations for verdict in _operation(one))
        case gap:
            return (Verdict.unknown(gap.why),)


def _operation(operation: DocumentedOperation) -> Iterator[Verdict]:
    kind = operation.integration.get("type")
    if operation.verb not in _WITH_BODY or (isinstance(kind, str) and kind.upper() == "MOCK"):
        return
    schema = operation.schema
    if not operation.validates_body:
        yield Verdict.failed(f"{operation.shown} has no request validator that validates bodies")
    elif schema is None:
        yield Verdict.failed(f"{operation.shown} has no schema for application/json")
    elif schema_refuses(json.dumps(schema)) is False:
        yield Verdict.failed(f"the schema of {operation.shown} takes every body")


def _model(name: Json, method: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """Whether a model refuses anything. `Empty` is made with each API, and takes every body."""
    if not isinstance(name, str):
        yield Verdict.unknown("a request model's name is not text")
        return
    meant = [
        target
        for reference in manifest.references(name)
        if (target := manifest.target(reference)) is not None and target.type == _MODEL
    ]
    known = manifest.resolve(name)
    if not meant:
        meant = [
            one
            for one in manifest.all(_MODEL)
            if one.text("name") == known and api_of(one, manifest) is api_of(method, manifest)
        ]
    if not meant and known == "Empty":
        yield Verdict.failed("its model Empty takes every body")
    elif not meant and known != "Error":
        yield Verdict.unknown("its request model is not in this file")
    for model in meant:
        schema = model.template("schema")
        if isinstance(schema, Unreadable):
            yield verdict_for_gap(schema, f"its model {model.address} has no schema")
            continue
        refuses = schema_refuses(schema)
        if refuses is False:
            yield Verdict.failed(f"the schema of its model {model.address} takes every body")
        elif refuses is None:
            yield Verdict.unknown(f"the schema of its model {model.address} cannot be read here")


@check(
    id="PI-API-007",
    title="The API key has the same value in both regions",
    severity=Severity.HIGH,
    risk="After a failover every client's key is refused.",
    fix="Let the second region's key take the value of the first's.",
)
def keys_have_one_value(manifest: Manifest) -> tuple[Verdict, ...]:
    """Values are compared by where they come from: another key, a random password, a literal."""
    keys = manifest.all("aws_api_gateway_api_key")
    if not keys:
        return (Verdict.not_applicable(),)
    found: list[Verdict] = []
    roots: dict[str, list[Resource]] = {}
    for key in keys:
        root = _root(key, manifest, ())
        if isinstance(root, Unreadable):
            found.append(Verdict.unknown(f"where its value comes from is not known: {root.why}", key.address))
        else:
            roots.setdefault(root, []).append(key)
    wanted = set(serving_regions(manifest))
    for root, group in roots.items():
        covered = {region_of(key) for key in group}
        missing = sorted(wanted - {region for region in covered if isinstance(region, str)})
        unclear = [gap for gap in covered if isinstance(gap, Unreadable)]
        if missing and unclear:
            found.append(Verdict.unknown(f"the region is not known: {unclear[0].why}", group[0].address))
        elif missing and not found:
            found.append(
                Verdict.failed(f"no key in {', '.join(missing)} has the value of {root}", group[0].address)
            )
    return pass_unless(found)


def _root(key: Resource, manifest: Manifest, seen: tuple[str, ...]) -> str | Unreadable:
    """Where a key's value comes from."""
    value = key.template("value")
    if isinstance(value, Missing):
        return key.address
    if isinstance(value, Unreadable):
        return value
    for one in manifest.referents(key, "value"):
        if one.type == "aws_api_gateway_api_key":
            if one.address in seen:
                return Unresolved("value", "keys that take each other's value")
            return _root(one, manifest, (*seen, key.address))
    if secrets_in(manifest, key, "value") or "${" in value:
        return value
    if len(value) < 20:
        return Unresolved("value", "a value shorter than API Gateway takes")
    return next(one.address for one in manifest.all(key.type) if one.template("value") == value)


@check(
    id="PI-API-008",
    title="Usage plans and stages are throttled",
    severity=Severity.MEDIUM,
    on=("aws_api_gateway_usage_plan", _STAGE, _HTTP_STAGE),
    risk="One client takes the account's whole capacity, or routes without a key are called without limit.",
    fix="Set throttle_settings on the plan, and throttling limits in the stage's method settings.",
)
def calls_are_throttled(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """The plan's limits hold for a key, the stage's for everyone."""
    if resource.type == "aws_api_gateway_usage_plan":
        throttle = nested(resource, "throttle_settings")
        if not isinstance(throttle, Unreadable) and not throttle:
            return (Verdict.failed("the plan has no throttle_settings"),)
        return pass_unless(
            (
                *_limit(resource, "throttle_settings.rate_limit", "the plan limits no rate"),
                *_limit(resource, "throttle_settings.burst_limit", "the plan limits no burst"),
            )
        )
    if resource.type == _HTTP_STAGE:
        at = "default_route_settings"
        return pass_unless(
            (
                *_limit(resource, f"{at}.throttling_rate_limit", "the stage limits no rate"),
                *_limit(resource, f"{at}.throttling_burst_limit", "the stage limits no burst"),
            )
        )
    return pass_unless(_stage_limits(_settings(resource, manifest)))


_NO_LIMIT = 100_000
"""Ten times what an account may have without asking: whoever writes more limits nothing."""


def _limit(block: Block, path: str, otherwise: str) -> Iterator[Verdict]:
    yield from above_zero(block, path, otherwise)
    found = block.number(path)
    if isinstance(found, int | float) and found > _NO_LIMIT:
        yield Verdict.failed(f"{otherwise} ({path} is {found:g})")


def _stage_limits(settings: list[Resource]) -> Iterator[Verdict]:
    if not any(one.text("method_path") in _EVERYTHING for one in settings):
        yield Verdict.failed("no method settings for */* limit the stage")
    for one in settings:
        yield from _limit(one, "settings.throttling_rate_limit", "the stage limits no rate")
        yield from _limit(one, "settings.throttling_burst_limit", "the stage limits no burst")
