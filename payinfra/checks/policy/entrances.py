"""The public entrances of a stack: methods, routes and function URLs, and what lets a caller through."""

from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.checks.manifest import Manifest, Missing, PolicyDocument, Resource, Unreadable, Unresolved
from payinfra.checks.model import Verdict
from payinfra.checks.policy.openapi import POLICY, Definition, DocumentedOperation, definition_of
from payinfra.checks.policy.permissions import policy_beside
from payinfra.checks.policy.policy_exposure import exposed
from payinfra.checks.policy.routes import API, api_of, is_open_path, path_of
from payinfra.checks.policy.verdict_helpers import nested, pass_unless, verdict_for_gap

HTTP_API = "aws_apigatewayv2_api"
ROUTE = "aws_apigatewayv2_route"
FUNCTION_URL = "aws_lambda_function_url"
_METHOD = "aws_api_gateway_method"
_OF_METHODS = ("COGNITO_USER_POOLS", "CUSTOM")
_OF_ROUTES = ("CUSTOM", "JWT")
_OF_WEB_SOCKETS = ("CUSTOM",)
"""The kinds of authorization that name an authorizer, by what the API's type takes (API Gateway's API
references, `authorizationType`)."""

_CONNECT = "$connect"
_MAPPINGS = (
    ("aws_api_gateway_base_path_mapping", "api_id", "domain_name"),
    ("aws_apigatewayv2_api_mapping", "api_id", "domain_name"),
)


@dataclass(frozen=True)
class Entrance:
    """One way in.

    Attributes:
        resource: the method, route or URL.
        shown: what a caller asks for, `POST /payments`.
        api: the API that it belongs to; None where that cannot be seen, or where there is none.
        knows_keys: whether AWS checks API keys there.
        authorizers: the kinds of authorization there that name an authorizer.
    """

    resource: Resource
    shown: str
    api: Resource | None
    knows_keys: bool
    authorizers: tuple[str, ...] = ()


def judge(resource: Resource, manifest: Manifest) -> Verdict | tuple[Verdict, ...]:
    """Whether an entrance, or each of an API's document, lets only those in whom something authorizes."""
    if resource.type in (API, HTTP_API):
        return _api(resource, manifest)
    if resource.type == FUNCTION_URL:
        return _authorized(Entrance(resource, "the function's URL", None, False), manifest)
    entrance = _route(resource, manifest) if resource.type == ROUTE else _method(resource, manifest)
    return entrance if isinstance(entrance, Verdict) else _authorized(entrance, manifest)


def _api(api: Resource, manifest: Manifest) -> Verdict | tuple[Verdict, ...]:
    if api.type == HTTP_API and api.has("target"):
        return Verdict.failed("its target is a route for everything that nothing authorizes")
    match definition_of(api):
        case Missing():
            return Verdict.not_applicable()
        case Definition() as definition:
            return pass_unless(_operations(api, definition, manifest))
        case gap:
            return Verdict.unknown(gap.why)


def _operations(api: Resource, definition: Definition, manifest: Manifest) -> Iterator[Verdict]:
    """The operations of a document that let everybody in."""
    open_ones = [one for one in definition.operations if not (one.guard or _carries_none(one))]
    if not open_ones:
        return
    if POLICY in definition.document:
        yield Verdict.unknown(
            f"{open_ones[0].shown} has no authorizer, and the document's policy is not read"
        )
        return
    closed = _closed(api, manifest)
    if closed is not None:
        yield closed
        return
    for one in open_ones:
        yield Verdict.failed(f"{one.shown} requires neither a key nor an authorizer")


def _carries_none(operation: DocumentedOperation) -> bool:
    """Whether an operation is one that callers ask without a key: CORS and health checks."""
    return operation.verb == "OPTIONS" or is_open_path(operation.path)


def _method(method: Resource, manifest: Manifest) -> Entrance | Verdict:
    verb = method.text("http_method")
    if verb == "OPTIONS":
        return Verdict.not_applicable("a CORS preflight carries no key")
    path = path_of(method, manifest)
    if isinstance(path, str) and is_open_path(path):
        return Verdict.not_applicable("health checks carry no key")
    allowed = _by_key(method) or _by_authorizer(method, "authorization", _OF_METHODS)
    if not isinstance(allowed, Verdict) or allowed.kind.value != "PASS":
        if isinstance(path, Unreadable):
            return Verdict.unknown(f"no key is required, and its path is not known: {path.why}")
        if isinstance(verb, Unresolved):
            return Verdict.unknown(verb.why)
    shown = f"{verb if isinstance(verb, str) else 'the method'} {path if isinstance(path, str) else ''}"
    return Entrance(method, shown.strip(), api_of(method, manifest), True, _OF_METHODS)


def _route(route: Resource, manifest: Manifest) -> Entrance | Verdict:
    key = route.text("route_key")
    if isinstance(key, Unreadable):
        return verdict_for_gap(key, "it has no route_key")
    api = next((one for one in manifest.referents(route, "api_id") if one.type == HTTP_API), None)
    verb, _, path = key.partition(" ")
    if verb == "OPTIONS":
        return Verdict.not_applicable("a CORS preflight carries no token")
    if path and is_open_path(path):
        return Verdict.not_applicable("health checks carry no token")
    web_socket = api is not None and api.text("protocol_type") == "WEBSOCKET"
    if key.startswith("$") and key not in ("$default", _CONNECT):
        return Verdict.not_applicable("a WebSocket is authorized when it connects")
    if web_socket and key != _CONNECT:
        return Verdict.not_applicable("a WebSocket is authorized when it connects")
    by_socket = web_socket or key == _CONNECT
    return Entrance(route, key, api, by_socket, _OF_WEB_SOCKETS if by_socket else _OF_ROUTES)


def _authorized(entrance: Entrance, manifest: Manifest) -> Verdict:
    resource = entrance.resource
    if entrance.knows_keys:
        by_key = _by_key(resource)
        if by_key is not None:
            return by_key
    path = "authorization" if resource.type == _METHOD else "authorization_type"
    by_authorizer = _by_authorizer(resource, path, entrance.authorizers)
    if by_authorizer is not None:
        return by_authorizer
    if entrance.api is not None:
        closed = _closed(entrance.api, manifest)
        if closed is not None:
            return closed
    if resource.has("api_key_required") and not entrance.knows_keys:
        return Verdict.failed(f"{entrance.shown} has no authorizer: an HTTP API checks no API keys")
    return Verdict.failed(f"{entrance.shown} requires neither a key nor an authorizer")


def _by_key(resource: Resource) -> Verdict | None:
    match resource.flag("api_key_required"):
        case True:
            return Verdict.passed("it requires the API key")
        case Missing() | False:
            return None
        case Unreadable() as gap:
            return Verdict.unknown(gap.why)


def _by_authorizer(resource: Resource, path: str, kinds: tuple[str, ...]) -> Verdict | None:
    """What the kind of authorization says; None where nobody is asked who they are."""
    match resource.text(path):
        case Missing() | "NONE" | "":
            return None
        case Unreadable() as gap:
            return Verdict.unknown(gap.why)
        case "AWS_IAM":
            return Verdict.passed("AWS signatures authorize")
        case kind if kind in kinds:
            if not resource.has("authorizer_id") or resource.text("authorizer_id") == "":
                return Verdict.failed(f"its authorization is {kind}, and it names no authorizer_id")
            return Verdict.passed(f"an authorizer of the kind {kind} authorizes")
        case kind:
            return Verdict.unknown(f"{path} is {kind!r}, which is no kind of authorization here")


def _closed(api: Resource, manifest: Manifest) -> Verdict | None:
    """What the API itself lets through: a private endpoint, a policy, or client certificates."""
    policies = policy_beside(api, manifest, "aws_api_gateway_rest_api_policy", "rest_api_id")
    if policies:
        statements = [
            one for _, policy in policies if isinstance(policy, PolicyDocument) for one in policy.statements
        ]
        unclear = next((policy.why for _, policy in policies if isinstance(policy, Unreadable)), "")
        if unclear:
            return Verdict.unknown(f"the API's policy is not known: {unclear}")
        if exposed(statements, ("execute-api:Invoke",)) is None:
            return Verdict.passed("the API's policy lets only named callers in")
    types = api.texts("endpoint_configuration.types")
    if not isinstance(types, Unreadable) and tuple(types) == ("PRIVATE",):
        return Verdict.warn("only its private endpoint keeps callers out")
    if api.flag("disable_execute_api_endpoint") is True:
        domains = list(_domains(api, manifest))
        if domains and all(nested(one, "mutual_tls_authentication") for one in domains):
            return Verdict.passed("its domain name asks for client certificates")
    return None


def _domains(api: Resource, manifest: Manifest) -> Iterator[Resource]:
    for kind, by_api, by_domain in _MAPPINGS:
        for mapping in manifest.all(kind):
            if api in manifest.referents(mapping, by_api):
                yield from manifest.referents(mapping, by_domain)
