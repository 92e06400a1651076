"""What an API answers with: that of the deployment which its stage serves, not what was changed since."""

import copy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]

_STORES = ("_resources", "_models", "_request_validators")
"""What ministack keeps by the API's id; resources hold their methods and these their integrations."""
_answering: ContextVar[tuple[str, str]] = ContextVar("payinfra_api_deployment", default=("", ""))
"""The API whose request is current, and the name under which the parts of its deployment are kept."""


def install(emulator: Emulator) -> None:
    """Apply the patch."""
    gateway = emulator.service("apigateway_v1")

    def put(name: str, wrap: Callable[[Any, Any], Any]) -> None:
        emulator.replace(gateway, name, wrap(gateway, getattr(gateway, name)))

    put("_create_deployment", keeps_the_apis_parts)
    put("_delete_deployment", forgets_its_parts)
    put("_delete_rest_api", forgets_all_parts)
    put("_execute_in_scope", answers_as_deployed)
    put("method_authorization_type", is_authorized_as_deployed)
    for look in ("_match_resource_tree", "_match_greedy_fallback", "_model_schema"):
        put(look, of_the_deployment)
    put("_check_request_validation", validated_as_deployed)


# ministack reads an API's parts live. A deployment's own are kept beside them, under a name that no API has:
# so they are written to the disk, and looked at by the same functions, as the API's are.


def _kept(api_id: str, deployment_id: object) -> str:
    return f"{api_id}/{deployment_id}"


def _looked_at(api_id: str) -> str:
    answering, kept = _answering.get()
    return kept if api_id == answering else api_id


def keeps_the_apis_parts(gateway: Any, original: Callable[..., Answer]) -> Callable[..., Answer]:
    """AWS: a deployment is a snapshot of the API; a later change takes effect with the next one."""

    def create(api_id: str, wanted: Any) -> Answer:
        answer = original(api_id, wanted)
        if answer[0] == 201:
            kept = _kept(api_id, parse_json(answer[2])["id"])
            for store in _STORES:
                getattr(gateway, store)[kept] = copy.deepcopy(getattr(gateway, store).get(api_id) or {})
        return answer

    return create


def forgets_its_parts(gateway: Any, original: Callable[..., Answer]) -> Callable[..., Answer]:
    """What a deployment kept goes with it."""

    def delete(api_id: str, deployment_id: str) -> Answer:
        for store in _STORES:
            getattr(gateway, store).pop(_kept(api_id, deployment_id), None)
        return original(api_id, deployment_id)

    return delete


def forgets_all_parts(gateway: Any, original: Callable[..., Answer]) -> Callable[..., Answer]:
    """What an API's deployments kept goes with it."""

    def delete(api_id: str) -> Answer:
        for deployment_id in tuple(gateway._deployments_v1.get(api_id) or ()):
            gateway._delete_deployment(api_id, deployment_id)
        return original(api_id)

    return delete


@contextmanager
def _as_deployed(gateway: Any, api_id: str, stage_name: str) -> Iterator[None]:
    """Look at the parts of the stage's deployment; at the API's own where none were kept of it."""
    stage = (gateway._stages_v1.get(api_id) or {}).get(stage_name) or {}
    kept = _kept(api_id, stage.get("deploymentId"))
    token = _answering.set((api_id, kept if kept in gateway._resources else api_id))
    try:
        yield
    finally:
        _answering.reset(token)


def answers_as_deployed(
    gateway: Any, original: Callable[..., Awaitable[object]]
) -> Callable[..., Awaitable[object]]:
    """AWS: a request meets the API as the stage's deployment has it."""

    async def execute(request: Any, api_id: str, stage_name: str, *more: Any) -> object:
        with _as_deployed(gateway, api_id, stage_name):
            return await original(request, api_id, stage_name, *more)

    return execute


def is_authorized_as_deployed(gateway: Any, original: Callable[..., object]) -> Callable[..., object]:
    """AWS: who may call is up to the method as the stage's deployment has it."""

    def look(api_id: str, stage_name: str, *more: Any) -> object:
        scope = gateway.find_api_scope(api_id)
        if scope is None:
            return None
        with gateway.request_scope(*scope), _as_deployed(gateway, api_id, stage_name):
            return original(api_id, stage_name, *more)

    return look


def of_the_deployment(gateway: Any, original: Callable[..., object]) -> Callable[..., object]:
    """Look at the parts of the deployment that answers, if one does."""
    del gateway

    def look(api_id: str, *more: Any) -> object:
        return original(_looked_at(api_id), *more)

    return look


def validated_as_deployed(gateway: Any, original: Callable[..., object]) -> Callable[..., object]:
    """Validate with the models and the validator of the deployment that answers."""
    del gateway

    def check(method: Any, api_id: str, *more: Any) -> object:
        return original(method, _looked_at(api_id), *more)

    return check
