"""How API Gateway calls a Lambda function and what it answers when that fails, as on AWS."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from payinfra.local.faults import FaultRegistry
from payinfra.local.server.ministack import Emulator
from payinfra.local.server.routing import is_loopback

INTERNAL = "Internal server error"
TIMED_OUT = "Endpoint request timed out"
INTEGRATION_LIMIT_MS = 29_000
LAMBDA = "lambda"

Invoke = Callable[..., Coroutine[Any, Any, Any]]


class Refused(Exception):
    """The call failed in a way that API Gateway answers by itself.

    Args:
        kind: the gateway response that answers it.
        status: what that response has where the API does not say otherwise.
    """

    def __init__(self, kind: str, message: str, status: int) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the services."""
    gateway = emulator.service("apigateway_v1")
    functions = emulator.service("lambda_svc")
    evaluator = emulator.core("iam_evaluator")
    emulator.replace(functions, "_reserved_concurrency", reserved_for_all_versions(functions))
    emulator.replace(
        gateway,
        "_build_lambda_event_v1",
        event_names_its_domain(gateway._build_lambda_event_v1, emulator.core("responses").get_region),
    )
    emulator.replace(
        gateway, "_lambda_proxy_response", failures_are_the_gateways(gateway._lambda_proxy_response)
    )
    emulator.replace(
        gateway, "_invoke_lambda_proxy_v1", gateway_answers_failures(gateway, gateway._invoke_lambda_proxy_v1)
    )
    emulator.replace(
        gateway, "_gateway_error_response", status_of_the_failure(gateway._gateway_error_response)
    )
    emulator.replace(
        gateway,
        "_call_lambda_raw",
        only_with_permission(gateway._call_lambda_raw, may_invoke(functions, evaluator)),
    )


def reserved_for_all_versions(functions: Any) -> Callable[[Any, Any], int | None]:
    """AWS: reserved concurrency holds for a function with all its versions and aliases."""

    def reserved(record: Any, config: Mapping[str, Any]) -> int | None:
        del record
        function = functions._functions.get(config.get("FunctionName")) or {}
        limit = function.get("concurrency")
        return None if limit is None else int(limit)

    return reserved


def event_names_its_domain(
    original: Callable[..., dict[str, Any]], region_now: Callable[[], str]
) -> Callable[..., dict[str, Any]]:
    """AWS: the event says at which domain name the API was called."""

    def build(api_id: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        event = original(api_id, *args, **kwargs)
        host = str(event["headers"].get("host", "")).rsplit(":", 1)[0].lower()
        domain = f"{api_id}.execute-api.{region_now()}.amazonaws.com" if is_loopback(host) else host
        event["requestContext"] |= {"domainName": domain, "domainPrefix": domain.split(".")[0]}
        return event

    return build


def failures_are_the_gateways(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """AWS: a function that fails is a 502, one that is throttled a 500; neither says why.

    The function's own words stay in its log.
    """

    def respond(result: Mapping[str, Any]) -> Any:
        if result.get("throttle"):
            raise Refused("DEFAULT_5XX", INTERNAL, 500)
        shaped, problem = original(result)
        if problem or result.get("error"):
            raise Refused("DEFAULT_5XX", INTERNAL, 502)
        return shaped, None

    return respond


def gateway_answers_failures(gateway: Any, original: Invoke) -> Invoke:
    """AWS: a failed integration is answered through the API's gateway responses, after 29 s at the latest."""

    async def invoke(integration: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        call = asyncio.ensure_future(original(integration, *args, **kwargs))
        limit = integration.get("timeoutInMillis") or INTEGRATION_LIMIT_MS
        await asyncio.wait({call}, timeout=limit / 1000)
        if not call.done():
            call.add_done_callback(_seen)
            return _error(gateway, Refused("INTEGRATION_TIMEOUT", TIMED_OUT, 504))
        try:
            return call.result()
        except Refused as refused:
            return _error(gateway, refused)

    return invoke


def _error(gateway: Any, refused: Refused) -> Any:
    error = gateway._gw_error(refused.kind, refused.message)
    error.bare_status = refused.status
    return error


def _seen(call: asyncio.Future[Any]) -> None:
    """Note how a call ended that nobody waits for any more."""
    if not call.cancelled():
        call.exception()


def status_of_the_failure(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """AWS: a gateway response without a status of its own leaves the failure's."""

    def respond(error: Any, request: Any) -> Any:
        status, headers, body = original(error, request)
        bare = getattr(error, "bare_status", status)
        return (bare if status == 500 else status), headers, body

    return respond


def only_with_permission(original: Invoke, allowed: Callable[[str, Mapping[str, Any]], bool]) -> Invoke:
    """AWS: a function whose policy does not let this method of this API call it is not called."""

    async def call(function: str, event: Mapping[str, Any], **scope: Any) -> Any:
        if not allowed(function, event):
            raise Refused("API_CONFIGURATION_ERROR", INTERNAL, 500)
        return await original(function, event, **scope)

    return call


def disturb_invocations(emulator: Emulator, board: FaultRegistry) -> None:
    """Apply faults of Lambda to what API Gateway invokes."""
    gateway = emulator.service("apigateway_v1")
    emulator.replace(gateway, "_call_lambda_raw", disturbed(gateway._call_lambda_raw, board))


def disturbed(
    original: Invoke, board: FaultRegistry, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Invoke:
    """AWS: callers of a REST API get a 500 for a function that Lambda throttles, or that the API may not
    call, and a 502 for one that fails (API Gateway developer guide, "Lambda proxy integrations")."""

    async def call(function: str, event: Mapping[str, Any], **scope: Any) -> Any:
        region = function.split(":")[3]
        if board.throttles(region, LAMBDA):
            raise Refused("DEFAULT_5XX", INTERNAL, 500)
        if board.denies(region, LAMBDA):
            raise Refused("API_CONFIGURATION_ERROR", INTERNAL, 500)
        if late := board.lateness(region, LAMBDA):
            await sleep(late)
        if board.fails(region, LAMBDA):
            raise Refused("DEFAULT_5XX", INTERNAL, 502)
        return await original(function, event, **scope)

    return call


def may_invoke(functions: Any, evaluator: Any) -> Callable[[str, Mapping[str, Any]], bool]:
    """Judge by the function's resource policy, that of the alias or version where the API names one."""

    def allowed(function: str, event: Mapping[str, Any]) -> bool:
        context = event["requestContext"]
        account, region = context["accountId"], function.split(":")[3]
        source = (
            f"arn:aws:execute-api:{region}:{account}:{context['apiId']}/{context['stage']}"
            f"/{context['httpMethod']}{context['resourcePath']}"
        )
        policy = functions.function_policy_for_arn(":".join(function.split(":")[:7]))
        asked = evaluator.EvalContext(
            principal_arn="apigateway.amazonaws.com",
            principal_type="Service",
            principal_account=account,
            action="lambda:InvokeFunction",
            resource_arn=function,
            region=region,
            service_context={"aws:sourcearn": source, "aws:sourceaccount": account},
        )
        judged = evaluator.evaluate_resource_policy(policy and policy[0], asked, "apigateway.amazonaws.com")
        return bool(judged.decision == "Allow")

    return allowed
