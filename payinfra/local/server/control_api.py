"""The server's side of the control port."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from payinfra.core.errors import EnvironmentUnusable, PayinfraError, UsageProblem
from payinfra.core.json_text import parse_json
from payinfra.local.control import PREFIX, active_to_json
from payinfra.local.endpoints import TOKEN_HEADER, LocalEndpoints, endpoints_to_json
from payinfra.local.faults import FaultRegistry, ReplicationDelay, ReplicationPause, from_json
from payinfra.local.server.asgi import AsgiResponse, HttpRequest, answer
from payinfra.local.server.aws_rules import KeptRules
from payinfra.local.server.time_scale import TimeScale


@dataclass
class ControlApi:
    """Answers the control's paths, to callers with the token.

    Args:
        pending: how many replicated writes are on their way.
        add_region: serves one more region.
        serve_https: serves custom domains through TLS.
        shut_down: begins the orderly end.
    """

    token: str
    board: FaultRegistry
    time_scale: TimeScale
    rules: KeptRules
    endpoints: Callable[[], LocalEndpoints]
    pending: Callable[[], int]
    add_region: Callable[[str], Awaitable[None]]
    serve_https: Callable[[], Awaitable[None]]
    shut_down: Callable[[], None]
    started: str

    async def __call__(self, request: HttpRequest) -> AsgiResponse:
        """Answer one call."""
        if not secrets.compare_digest(request.header(TOKEN_HEADER).encode(), self.token.encode()):
            return _json(
                HTTPStatus.FORBIDDEN, {"what": "The control's token is missing or wrong.", "hint": ""}
            )
        try:
            value = await self._do(request.method, request.path.removeprefix(PREFIX), _body(request))
        except PayinfraError as error:
            usage = isinstance(error, UsageProblem)
            status = HTTPStatus.BAD_REQUEST if usage else HTTPStatus.CONFLICT
            return _json(status, {"what": error.what, "hint": error.hint, "usage": usage})
        return _json(HTTPStatus.OK, value)

    async def _do(self, method: str, path: str, body: dict[str, object]) -> object:
        match method, path.split("/")[1:]:
            case "GET", ["status"]:
                return self._status()
            case "GET", ["faults"]:
                return self._faults()
            case "POST", ["faults"]:
                return self._inject(body)
            case "DELETE", ["faults"]:
                return [active_to_json(active) for active in self.board.clear()]
            case "DELETE", ["faults", fault_id]:
                return [active_to_json(active) for active in self.board.clear(fault_id)]
            case "PUT", ["time-scale"]:
                self.time_scale.set(body.get("scale"))
            case "PUT", ["time-scale", "holds"]:
                self.time_scale.hold(str(body.get("holder", "")), body.get("scale"))
            case "DELETE", ["time-scale", "holds"]:
                self.time_scale.release(str(body.get("holder", "")))
            case "GET", ["rules"]:
                return dict(self.rules.values())
            case "PUT", ["rules"]:
                self.rules.set(body)
                return dict(self.rules.values())
            case "DELETE", ["rules"]:
                self.rules.reset()
                return dict(self.rules.values())
            case "POST", ["regions"]:
                await self.add_region(str(body.get("region", "")))
            case "POST", ["https"]:
                await self.serve_https()
            case "POST", ["shutdown"]:
                self.shut_down()
            case _:
                raise EnvironmentUnusable(
                    f"The embedded AWS knows no control call {method} {path}.",
                    "Is it an older one that still runs? Stop it with `payinfra local down`.",
                )
        return {}

    def _status(self) -> dict[str, object]:
        return {
            "endpoints": endpoints_to_json(self.endpoints()),
            "faults": self._faults(),
            "time_scale": self.time_scale(),
            "time_scale_holds": dict(self.time_scale.holds),
            "pending_writes": self.pending(),
            "started": self.started,
        }

    def _faults(self) -> list[dict[str, object]]:
        return [active_to_json(active) for active in self.board.list()]

    def _inject(self, body: dict[str, object]) -> dict[str, object]:
        fault = from_json(body)
        served = self.endpoints().regions
        if not isinstance(fault, ReplicationDelay | ReplicationPause) and fault.region not in served:
            raise UsageProblem(
                f"The embedded AWS does not serve the region {fault.region!r}.",
                f"It serves {', '.join(sorted(served))}.",
            )
        return active_to_json(self.board.inject(fault))


def _body(request: HttpRequest) -> dict[str, object]:
    try:
        value: object = parse_json(request.body or b"{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return {}
    return {str(key): entry for key, entry in value.items()}


def _json(status: HTTPStatus, value: object) -> AsgiResponse:
    return answer(status, json.dumps(value).encode())
