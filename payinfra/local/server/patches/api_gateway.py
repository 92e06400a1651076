"""API Gateway, as AWS answers it."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.aws_rules import API_KEYS, DOMAIN_NAMES
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.ministack import Emulator

Shown = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]

_OPTIONAL = (
    (re.compile(r"/restapis/[^/]+/stages(/[^/]+)?"), "accessLogSettings"),
    (re.compile(r"/usageplans(/[^/]+)?"), "quota"),
    (re.compile(r"/usageplans(/[^/]+)?"), "throttle"),
    (re.compile(r"/domainnames(/[^/]+)?"), "mutualTlsAuthentication"),
)
_DOMAIN = re.compile(r"/domainnames(/[^/]+)?")
_MOCK_SERVICE = re.compile(r"/restapis/[^/]+/resources/[^/]+/methods/[^/]+/integration")


def what_was_not_set_is_not_described(
    request: HttpRequest, response: AsgiResponse, region: str
) -> AsgiResponse:
    """AWS: leaves out a stage's log settings, a plan's quota, a domain's mutual TLS where there are none."""
    del region
    absent = {member for path, member in _OPTIONAL if path.fullmatch(request.path)}
    return _edit(response, lambda shown: _without_empty(shown, absent)) if absent else response


def mock_integration_has_no_method(request: HttpRequest, response: AsgiResponse, region: str) -> AsgiResponse:
    """AWS: describes no HTTP method for an integration that calls nothing."""
    del region
    if not _MOCK_SERVICE.fullmatch(request.path):
        return response

    def edit(shown: Mapping[str, Any]) -> dict[str, Any]:
        unset = {"httpMethod", "uri"} if shown.get("type") == "MOCK" else set()
        return {key: value for key, value in shown.items() if key not in unset}

    return _edit(response, edit)


def domain_is_available(request: HttpRequest, response: AsgiResponse, region: str) -> AsgiResponse:
    """AWS: says of a custom domain whether it can be used; here it can as soon as it is there."""
    del region
    if not _DOMAIN.fullmatch(request.path):
        return response

    def edit(shown: Mapping[str, Any]) -> dict[str, Any]:
        return {**shown, "domainNameStatus": "AVAILABLE"} if "domainName" in shown else dict(shown)

    return _edit(response, edit)


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    gateway = emulator.service("apigateway_v1")
    for update, types in TYPES.items():
        emulator.replace(gateway, update, patches_keep_types(getattr(gateway, update), types))
    emulator.replace(gateway, "_tag_v1_resource", later_tags_are_described(gateway, gateway._tag_v1_resource))
    emulator.replace(
        gateway, "_untag_v1_resource", later_tags_are_described(gateway, gateway._untag_v1_resource)
    )
    for call, every_s in {
        "_update_account": lambda: UPDATE_ACCOUNT_S,
        "_create_domain_name": lambda: emulator.rules.value(DOMAIN_NAMES),
    }.items():
        emulator.replace(
            gateway, call, one_call_in_a_while(gateway, getattr(gateway, call), every_s, emulator)
        )
    known = UsagePlanChanges(emulator, gateway)
    emulator.replace(gateway, "_create_usage_plan_key", known.of_a_key(gateway._create_usage_plan_key))
    emulator.replace(gateway, "_update_usage_plan", known.of_a_stage(gateway._update_usage_plan))
    emulator.replace(gateway, "_usage_plans_for_key", known.at_the_stage(gateway._usage_plans_for_key))
    emulator.replace(gateway, "_create_api_key", empty_key_value_asks_for_one(gateway._create_api_key))
    emulator.replace(
        gateway, "_create_base_path_mapping", empty_base_path_is_the_root(gateway._create_base_path_mapping)
    )
    emulator.replace(gateway, "_resolve_api_key", key_of_the_region(gateway))
    emulator.replace(
        gateway, "find_domain_scope", domain_of_the_region(gateway, emulator.core("responses").get_region)
    )
    emulator.replace(
        emulator.main,
        "_execute_api_authorization_type",
        unknown_route_is_the_gateways_to_refuse(
            gateway.find_api_scope, emulator.main._execute_api_authorization_type
        ),
    )


UPDATE_ACCOUNT_S = 20.0
"""How many seconds an account waits between two calls of UpdateAccount, in each region (API Gateway developer
guide, "Quotas for creating, deploying and managing an API": "1 request every 20 seconds per account", and for
CreateDomainName every 30 seconds; neither can be raised)."""


def one_call_in_a_while(
    gateway: Any, original: Callable[[Shown], Answer], every_s: Callable[[], float], emulator: Emulator
) -> Callable[[Shown], Answer]:
    """AWS: refuses the call that comes too soon after another one with TooManyRequestsException.

    Args:
        every_s: seconds between two calls; 0 for none.
    """
    responses = emulator.core("responses")
    served: dict[tuple[str, str], float] = {}

    def call(wanted: Shown) -> Answer:
        owner, now = (responses.get_account_id(), responses.get_region()), emulator.rules.now()
        if owner in served and now - served[owner] < every_s():
            refused: Answer = gateway._v1_error("TooManyRequestsException", "Too Many Requests", 429)
            return refused
        served[owner] = now
        return original(wanted)

    return call


class UsagePlanChanges:
    """AWS: a key that is new in a usage plan, and a stage that is, work only after a while.

    AWS's documentation does not say how long; its users saw a new key refused with 403 for some seconds, and
    for up to 40 (github.com/moduspwnens/boa-chat, issue 1). Off unless the rule `api-key-delay` is set.
    """

    def __init__(self, emulator: Emulator, gateway: Any) -> None:
        self.rules, self.gateway = emulator.rules, gateway
        self.since: dict[tuple[str, str], float] = {}

    def of_a_key(self, original: Callable[[str, Shown], Answer]) -> Callable[[str, Shown], Answer]:
        """Note when a key was added to a plan."""

        def create(plan: str, wanted: Shown) -> Answer:
            self.since[plan, str(wanted.get("keyId", ""))] = self.rules.now()
            return original(plan, wanted)

        return create

    def of_a_stage(self, original: Callable[[str, Shown], Answer]) -> Callable[[str, Shown], Answer]:
        """Add and remove stages, and note when one was added. ministack keeps the text of such a change."""

        def update(plan: str, wanted: Shown) -> Answer:
            others = []
            for change in wanted.get("patchOperations", ()):
                if change.get("path") == "/apiStages" and plan in self.gateway._usage_plans:
                    self._change(plan, change)
                else:
                    others.append(change)
            return original(plan, {**wanted, "patchOperations": others})

        return update

    def _change(self, plan: str, change: Shown) -> None:
        value = str(change.get("value", ""))
        api, _, stage = value.partition(":")
        found = self.gateway._usage_plans[plan]
        kept = [
            one
            for one in found.get("apiStages") or []
            if (one.get("apiId"), one.get("stage")) != (api, stage)
        ]
        if change.get("op") != "remove":
            kept.append({"apiId": api, "stage": stage})
            self.since[plan, value] = self.rules.now()
        found["apiStages"] = kept

    def at_the_stage(self, original: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
        """The plans by which a key may call a stage, as far as the stage has heard of them."""

        def plans(key: str, api: str, stage: str) -> list[Any]:
            heard_of = self.rules.now() - self.rules.value(API_KEYS)
            return [
                found
                for found in original(key, api, stage)
                if self.since.get((found[0], key), heard_of) <= heard_of
                and self.since.get((found[0], f"{api}:{stage}"), heard_of) <= heard_of
            ]

        return plans


def unknown_route_is_the_gateways_to_refuse(
    scope_of: Callable[[str], object], original: Callable[[str, str, str, str], str | None]
) -> Callable[[str, str, str, str], str | None]:
    """AWS: what no method of an API serves is answered by its response MISSING_AUTHENTICATION_TOKEN.

    ministack asks IAM about it first, which refuses a request without a signature in words of its own.
    """

    def authorization_of(api: str, stage: str, method: str, path: str) -> str | None:
        found = original(api, stage, method, path)
        return "NONE" if found is None and scope_of(api) is not None else found

    return authorization_of


def empty_key_value_asks_for_one(original: Callable[[Shown], Answer]) -> Callable[[Shown], Answer]:
    """AWS: an API key made with an empty value gets a value of AWS's own."""

    def create(wanted: Shown) -> Answer:
        return original({key: value for key, value in wanted.items() if (key, value) != ("value", "")})

    return create


def later_tags_are_described(
    gateway: Any, original: Callable[[str, Any], Answer]
) -> Callable[[str, Any], Answer]:
    """AWS: what was tagged after it was made is described with all its tags.

    ministack keeps the tags that a thing is made with in its description, and later ones apart.
    """

    def change(arn: str, wanted: Any) -> Answer:
        _, _, path = arn.partition("::/")
        kind, name, *below = (*path.split("/"), "")
        stores: Mapping[str, Any] = {
            "apikeys": gateway._api_keys,
            "domainnames": gateway._domain_names,
            "restapis": gateway._rest_apis,
            "usageplans": gateway._usage_plans,
        }
        found = stores.get(kind, {}).get(name)
        if found is not None and below[0] == "stages":
            found = gateway._stages_v1.get(name, {}).get(below[1])
        if found is None:
            return original(arn, wanted)
        gateway._v1_tags[arn] = dict(found.get("tags") or {})
        answer = original(arn, wanted)
        found["tags"] = dict(gateway._v1_tags[arn])
        return answer

    return change


def _truth(text: object) -> bool:
    return str(text).lower() == "true"


Reader = Callable[[Any], object]
TYPES: Mapping[str, Mapping[str, Reader]] = {
    "_update_api_key": {"/enabled": _truth},
    "_update_integration": {"/timeoutInMillis": int, "/tlsConfig/insecureSkipVerification": _truth},
    "_update_method": {"/apiKeyRequired": _truth, "/requestParameters/.+": _truth},
    "_update_rest_api": {"/disableExecuteApiEndpoint": _truth, "/minimumCompressionSize": int},
    "_update_stage": {"/canarySettings/percentTraffic": float, "/canarySettings/useStageCache": _truth},
    "_update_usage_plan": {
        "/quota/(limit|offset)": int,
        "/throttle/burstLimit": int,
        "/throttle/rateLimit": float,
    },
}
"""What a description has as a number or a truth, by the patterns of its paths in a patch (API Gateway API
reference, "PatchOperation"). The other settings of a stage, and a validator's, ministack reads by itself."""


def patches_keep_types(original: Callable[..., Answer], types: Mapping[str, Reader]) -> Callable[..., Answer]:
    """AWS: a patch's values are text, and what is a number or a truth stays one all the same."""

    def typed(operation: Shown) -> Shown:
        path = str(operation.get("path", ""))
        readers = (read for pattern, read in types.items() if re.fullmatch(pattern, path))
        read = next(readers, None)
        return (
            {**operation, "value": read(operation["value"])} if read and "value" in operation else operation
        )

    def update(*named: Any) -> Answer:
        *names, wanted = named
        operations = [typed(one) for one in wanted.get("patchOperations", ())]
        return original(*names, {**wanted, "patchOperations": operations})

    return update


def empty_base_path_is_the_root(original: Callable[[str, Shown], Answer]) -> Callable[[str, Shown], Answer]:
    """AWS: a mapping made with an empty base path is the one called `(none)`."""

    def create(domain: str, wanted: Shown) -> Answer:
        return original(domain, {**wanted, "basePath": wanted.get("basePath") or "(none)"})

    return create


def key_of_the_region(gateway: Any) -> Callable[[str], object]:
    """AWS: an API key belongs to its region; two regions may have keys of one value."""

    def resolve(value: str) -> object:
        enabled = (key for key in gateway._api_keys.values() if key.get("enabled", True))
        return next((key for key in enabled if value and key.get("value") == value), None)

    return resolve


def domain_of_the_region(gateway: Any, region_now: Callable[[], str]) -> Callable[[str], object]:
    """AWS: two regions may serve one custom domain; a request gets the one of the region it came to."""
    anywhere: Callable[[str], tuple[str, str, str] | None] = gateway.find_domain_scope

    def find(domain: str) -> object:
        here = next((name for name in gateway._domain_names if name.lower() == domain.lower()), None)
        found = anywhere(domain)
        return found and (found[0], region_now(), here) if here else None

    return find


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: object = parse_json(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _without_empty(shown: Mapping[str, Any], members: set[str]) -> dict[str, Any]:
    kept = {key: value for key, value in shown.items() if value or key not in members}
    for listing in ("item", "items"):
        if isinstance(kept.get(listing), list):
            kept[listing] = [_without_empty(entry, members) for entry in kept[listing]]
    return kept


def _edit(response: AsgiResponse, edit: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> AsgiResponse:
    shown = _object(response.body)
    edited = edit(shown)
    return response if edited == shown else response.with_body(json.dumps(edited).encode())
