"""Whether a function's permissions let API Gateway call it: function, alias, stage and route.

Source: API Gateway developer guide, "Control access to an API with IAM permissions" (the ARN of an
execution is `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`), and "Working with
routes for HTTP APIs".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from payinfra.checks.manifest import SPAN, Manifest, Missing, Resource, Unreadable, Unresolved, is_literal
from payinfra.checks.model import Verdict
from payinfra.checks.policy.entrances import HTTP_API, ROUTE
from payinfra.checks.policy.permissions import names
from payinfra.checks.policy.policy_conditions import matches
from payinfra.checks.policy.policy_exposure import fits_any_account
from payinfra.checks.policy.routes import api_of, path_at, path_of

_REST = "aws_api_gateway_integration"
_HTTP_INTEGRATION = "aws_apigatewayv2_integration"
_CALLS = ("AWS", "AWS_PROXY")
_STAGES = {
    "aws_api_gateway_stage": "stage_name",
    "aws_api_gateway_deployment": "stage_name",
    "aws_apigatewayv2_stage": "name",
}
_OF_A_VERSION = ("qualified_arn", "qualified_invoke_arn")
_PARAMETER = re.compile(r"\{[^{}]*\}")


def judge(integration: Resource, manifest: Manifest) -> Verdict:
    """Name, qualifier and source of the permissions must all fit the integration."""
    rest = integration.type == _REST
    kind_at, role_at, uri_at = (
        ("type", "credentials", "uri") if rest else ("integration_type", "credentials_arn", "integration_uri")
    )
    kind = integration.text(kind_at)
    if isinstance(kind, Unreadable):
        return _gap(kind, "it has no type")
    if kind not in _CALLS:
        return Verdict.not_applicable(f"{kind} integrations call no function")
    if integration.has(role_at):
        return Verdict.not_applicable("it calls with a role of its own")
    if integration.has("integration_subtype"):
        return Verdict.not_applicable("it calls another service than Lambda")
    uri = integration.template(uri_at)
    if isinstance(uri, Unreadable):
        return _gap(uri, "it has no uri")
    called = [
        one
        for one in manifest.referents(integration, uri_at)
        if one.kind in ("aws_lambda_function", "aws_lambda_alias")
    ]
    called = called or [one for one in manifest.all("aws_lambda_function") if _named_in(uri, one)]
    versioned = any(
        one.attribute in _OF_A_VERSION and manifest.target(one) in called for one in manifest.references(uri)
    )
    if not called:
        if kind == "AWS" and ":lambda:" not in uri and "aws_lambda" not in uri:
            return Verdict.not_applicable("it calls another service than Lambda")
        return Verdict.unknown("which function it calls is not known")
    return _permitted(integration, called[0], manifest, versioned=versioned)


def _gap(gap: Unreadable, missing: str) -> Verdict:
    return Verdict.failed(missing) if isinstance(gap, Missing) else Verdict.unknown(gap.why)


def _named_in(uri: str, function: Resource) -> bool:
    name = function.text("function_name")
    return isinstance(name, str) and f":function:{name}/" in f"{uri}/"


def _permitted(integration: Resource, called: Resource, manifest: Manifest, *, versioned: bool) -> Verdict:
    misfits: list[str] = []
    unknown = ""
    covered: set[Execution] = set()
    wanted = _executions(integration, manifest)
    for permission in _candidates(called, manifest):
        misfit = _misfit(permission, called, manifest, versioned=versioned)
        if misfit == "":
            continue
        if misfit is None and isinstance(wanted, Unreadable):
            misfit = wanted if permission.has("source_arn") else "has no source_arn"
        elif misfit is None and not isinstance(wanted, Unreadable):
            covering = _covered(permission, integration, wanted, manifest)
            if isinstance(covering, tuple):
                covered |= set(covering)
                left = [one for one in wanted if one not in covering]
                misfit = f"does not cover {left[0].shown}" if left else None
            else:
                misfit = covering
        if isinstance(misfit, Unreadable):
            unknown = unknown or f"{permission.address}: {misfit.why}"
        elif misfit:
            misfits.append(f"{permission.address} {misfit}")
    if not isinstance(wanted, Unreadable) and covered.issuperset(wanted):
        return Verdict.passed()
    if unknown:
        return Verdict.unknown(unknown)
    return Verdict.failed("; ".join([f"no permission lets it call {called.address}", *misfits]))


def _candidates(called: Resource, manifest: Manifest) -> Iterator[Resource]:
    """The permissions that may be a function's: those that refer to it or to its alias, and literal ones."""
    owners = [called]
    if called.type == "aws_lambda_alias":
        owners += manifest.referents(called, "function_name")
    for owner in owners[1:] or owners:
        owners += [one for one in manifest.referrers(owner) if one.kind == "aws_lambda_alias"]
    found = dict.fromkeys(
        one for owner in owners for one in manifest.referrers(owner) if one.kind == "aws_lambda_permission"
    )
    yield from found
    yield from (one for one in _literal_permissions(manifest) if one not in found)


@lru_cache(maxsize=1)
def _literal_permissions(manifest: Manifest) -> tuple[Resource, ...]:
    return tuple(one for one in manifest.all("aws_lambda_permission") if not one.references("function_name"))


def _misfit(
    permission: Resource, called: Resource, manifest: Manifest, *, versioned: bool
) -> str | Unreadable | None:
    """Why a permission is not for API Gateway and this function; empty where it is another function's."""
    alias = called if called.type == "aws_lambda_alias" else None
    functions = [called] if alias is None else list(manifest.referents(alias, "function_name"))
    who = permission.template("function_name")
    named: list[Resource] = []
    for reference in permission.references("function_name"):
        target = manifest.target(reference)
        if target is None:
            continue
        if reference.attribute == "function_name" and target.type == "aws_lambda_alias":
            named += manifest.referents(target, "function_name")
        else:
            named.append(target)
    through_alias = alias is not None and alias in named
    if not through_alias and not any(
        one in named or (isinstance(who, str) and is_function(who, one)) for one in functions
    ):
        return ""
    qualifier = permission.text("qualifier")
    if versioned and isinstance(qualifier, Missing):
        if not any(one.attribute in _OF_A_VERSION for one in permission.references("function_name")):
            return "is for the function itself, the integration calls a version of it"
    elif alias is None and not isinstance(qualifier, Missing) and not versioned:
        return "is for a version or alias, the integration calls the function itself"
    if alias is not None and not through_alias:
        meant = alias in manifest.referents(permission, "qualifier")
        if not meant and (isinstance(qualifier, Unreadable) or qualifier != alias.text("name")):
            return f"is not for the alias {alias.address}"
    principal = permission.text("principal")
    if isinstance(principal, Unresolved):
        return principal
    if principal != "apigateway.amazonaws.com":
        return "is for another principal"
    action = permission.text("action")
    if action not in ("lambda:InvokeFunction", "lambda:*"):
        return action if isinstance(action, Unresolved) else "allows another action"
    return None


def is_function(who: str, function: Resource) -> bool:
    """Whether a name or an ARN is a function's."""
    name = function.text("function_name")
    return isinstance(name, str) and (who == name or who.endswith(f":function:{name}"))


@dataclass(frozen=True)
class Execution:
    """What API Gateway puts after the API's id in the ARN of an execution; any stage where none is known."""

    stage: str
    route: str

    @property
    def shown(self) -> str:
        """As a message has it."""
        return f"{self.stage or 'any stage'}/{self.route}"


def _executions(integration: Resource, manifest: Manifest) -> tuple[Execution, ...] | Unreadable:
    """Every stage and route on which the integration is called."""
    routes = (
        _rest_route(integration, manifest)
        if integration.type == _REST
        else _http_routes(integration, manifest)
    )
    if isinstance(routes, Unreadable):
        return routes
    api = _api(integration, manifest)
    if api is None:
        return Unresolved("rest_api_id", "the integration's API")
    stages: dict[str, None] = {}
    for kind, by in _STAGES.items():
        for one in manifest.all(kind):
            if _api(one, manifest) is api:
                name = one.text(by)
                if isinstance(name, str):
                    stages[name] = None
    return tuple(Execution(stage, route) for stage in stages or ("",) for route in routes)


def _api(resource: Resource, manifest: Manifest) -> Resource | None:
    own = api_of(resource, manifest)
    if own is not None:
        return own
    return next((one for one in manifest.referents(resource, "api_id") if one.type == HTTP_API), None)


def _rest_route(integration: Resource, manifest: Manifest) -> tuple[str, ...] | Unreadable:
    path, method = path_of(integration, manifest), integration.text("http_method")
    if isinstance(path, Unreadable):
        return path
    if not isinstance(method, str):
        method = next(
            (
                known
                for one in manifest.referents(integration, "http_method")
                if isinstance(known := one.text("http_method"), str)
            ),
            "ANY",
        )
    # A path parameter is a `*` in the ARN, and so is the method of ANY.
    return (f"{'*' if method == 'ANY' else method}{_PARAMETER.sub('*', path)}",)


def _http_routes(integration: Resource, manifest: Manifest) -> tuple[str, ...] | Unreadable:
    routes: list[str] = []
    for route in manifest.all(ROUTE):
        if integration not in manifest.referents(route, "target"):
            continue
        key = route.text("route_key")
        if isinstance(key, Unreadable):
            return key
        verb, _, path = key.partition(" ")
        routes.append(f"{'*' if verb == 'ANY' else verb}{_PARAMETER.sub('*', path)}" if path else key)
    return tuple(routes) or Unresolved("target", "no route of this file leads to it")


def _covered(
    permission: Resource, integration: Resource, wanted: tuple[Execution, ...], manifest: Manifest
) -> tuple[Execution, ...] | str | Unreadable:
    """Those of the executions that a permission's source covers, or why it is for none."""
    source = permission.template("source_arn")
    if isinstance(source, Missing):
        if permission.has("source_account"):
            return wanted
        return "admits every API of every account: it has no source_arn"
    if isinstance(source, Unreadable):
        return source
    tail = _tail(source, integration, manifest)
    if tail is None:
        # The id of an API that this file makes is not known before; a literal one may be right or not.
        if manifest.references(source) or (source.startswith("arn:") and ":execute-api:" not in source):
            return "is for another API"
        return Unresolved("source_arn", source)
    covered = tuple(one for one in wanted if _fits(tail, one))
    return covered or f"covers {tail.lstrip('/') or 'no stage and route'}, not {wanted[0].shown}"


def _fits(tail: str, execution: Execution) -> bool:
    whole = f"/{execution.stage}/{execution.route}"
    if execution.stage:
        return matches(tail, whole) is not False
    stage = tail.split("/")[1] if tail.count("/") > 1 else "any"
    return matches(tail, f"/{stage.replace('*', 'any')}/{execution.route}") is not False


def _tail(source: str, integration: Resource, manifest: Manifest) -> str | None:
    """What follows the API in a permission's source; None where that is another API's."""
    api = _api(integration, manifest)
    if api is None:
        return None
    rest = names(source, api, manifest)
    if rest is not None:
        return _spelled(rest, manifest) if _is_execution(source, api) else None
    for reference in manifest.references(source):
        stage = manifest.target(reference)
        if stage is not None and stage.type in _STAGES and _api(stage, manifest) is api:
            name = stage.text(_STAGES[stage.type])
            after = names(source, stage, manifest)
            if isinstance(name, str) and after is not None:
                return f"/{name}{_spelled(after, manifest)}"
    # An API whose id the file cannot know, in an ARN that is written out for any API of the account.
    parts = source.split(":", 5)
    if len(parts) == 6 and parts[2] == "execute-api" and parts[5].startswith("*"):
        return parts[5][1:] or "/*"
    return None


def _is_execution(source: str, api: Resource) -> bool:
    """Whether an ARN in which an API's id stands is of a call through it, in its own region."""
    if not source.startswith("arn:"):
        return True
    parts = SPAN.sub("", source).split(":", 5)
    return (
        len(parts) == 6
        and matches(parts[2], "execute-api") is True
        and (not parts[3] or not isinstance(api.region, str) or matches(parts[3], api.region) is not False)
    )


def _spelled(tail: str, manifest: Manifest) -> str:
    """What follows the API in a source, with the paths, stages and methods of this file written out."""

    def path(span: re.Match[str]) -> str:
        for reference in manifest.references(span[0]):
            place = manifest.target(reference)
            if (
                place is not None
                and place.type == "aws_api_gateway_resource"
                and reference.attribute == "path"
            ):
                found = path_at(place, manifest)
                return found if isinstance(found, str) else span[0]
        return span[0]

    resolved = manifest.resolve(SPAN.sub(path, tail))
    return resolved if isinstance(resolved, str) else tail


def open_permissions(permission: Resource) -> Iterator[Verdict]:
    """What is wrong with whom a permission admits."""
    principal = permission.template("principal")
    if isinstance(principal, Unreadable):
        yield _gap(principal, "it names no principal")
        return
    bound = [
        path
        for path in ("source_arn", "source_account", "principal_org_id", "event_source_token")
        if permission.has(path) and _binds(path, permission.template(path))
    ]
    if not (is_literal(principal) or permission.references("principal")):
        yield Verdict.unknown(f"whom it lets call the function is not known: {principal}")
    elif principal == "*":
        if "principal_org_id" not in bound and "source_account" not in bound and "source_arn" not in bound:
            kind = permission.text("function_url_auth_type")
            what = "anybody on the internet" if kind == "NONE" else "every AWS account"
            yield Verdict.failed(f"it lets {what} call the function")
    elif principal.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazon.com")) and not bound:
        yield Verdict.failed(f"it lets {principal} call the function for any account: it names no source")


def _binds(path: str, value: str | Unreadable) -> bool:
    """Whether a value names a caller: an ARN with a wildcard for its account fits everybody's."""
    if value in ("", "*"):
        return False
    if path != "source_arn" or isinstance(value, Unreadable):
        return True
    return value.startswith("${") or not fits_any_account(SPAN.sub("known", value))
