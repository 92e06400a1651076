"""The client of the control port: faults, the scale of time, status, and the end.

Plain synchronous calls. Whoever can read the state folder may make them: each carries the token in it.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.json_text import parse_json
from payinfra.local.endpoints import (
    TOKEN_HEADER,
    LocalStatus,
    StateFolder,
    endpoints_from_json,
    read_endpoints,
)
from payinfra.local.faults import ActiveFault, Fault, from_json, to_json

PREFIX = "/_payinfra"
START_HINT = "Start it with `payinfra local up`."


def active_to_json(active: ActiveFault) -> dict[str, object]:
    """A fault in place, as the control port answers it."""
    return {"id": active.fault_id, "since": active.since, "fault": to_json(active.fault)}


def _active(value: object) -> ActiveFault:
    match value:
        case {"id": str(fault_id), "since": str(since), "fault": fault}:
            return ActiveFault(fault_id, from_json(fault), since)
        case _:
            raise EnvironmentUnusable("The embedded AWS answered something else than a fault.", START_HINT)


def _listed(value: object) -> tuple[ActiveFault, ...]:
    return tuple(_active(entry) for entry in value) if isinstance(value, list) else ()


def _numbers(value: object) -> Mapping[str, float]:
    match value:
        case dict(found) if all(isinstance(one, int | float) for one in found.values()):
            return {str(name): float(one) for name, one in found.items()}
        case _:
            raise EnvironmentUnusable("The embedded AWS answered something else than its rules.", START_HINT)


@dataclass(frozen=True)
class Sent:
    """One call on its way."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


Transport = Callable[[Sent, float], tuple[int, bytes]]
"""Sends a call and gives the answer's status and body; the number is the timeout in seconds."""


@dataclass(frozen=True)
class Control:
    """Calls one server's control port. Each method raises EnvironmentUnusable if the server is silent.

    Args:
        url: the server's global URL.
        token: what its state folder's `token` holds.
        timeout: seconds for one call.
    """

    url: str
    token: str
    timeout: float = 5.0
    transport: Transport = field(default=lambda sent, timeout: over_http(sent, timeout))

    @classmethod
    def of(cls, state_folder: Path) -> "Control":
        """The control of the server whose state is in this folder.

        Raises:
            EnvironmentUnusable: no server says that it runs there.
        """
        folder = StateFolder(state_folder)
        endpoints = read_endpoints(folder)
        if endpoints is None or not folder.token.exists():
            raise EnvironmentUnusable("The embedded AWS is not running.", START_HINT)
        return cls(endpoints.global_url, folder.token.read_text(encoding="utf-8").strip())

    def list(self) -> tuple[ActiveFault, ...]:
        """The faults in place, oldest first."""
        return _listed(self._call("GET", "/faults"))

    def inject(self, fault: Fault) -> ActiveFault:
        """Inject a fault, at once.

        Raises:
            UsageProblem: the server does not serve that region, or the numbers are not usable.
        """
        return _active(self._call("POST", "/faults", to_json(fault)))

    def clear(self, fault_id: str | None = None) -> tuple[ActiveFault, ...]:
        """Clear one fault, or all; return those that were in place. One that is not there is no error."""
        return _listed(self._call("DELETE", f"/faults/{fault_id}" if fault_id else "/faults"))

    def set_time_scale(self, scale: float) -> None:
        """Run the embedded AWS's time `scale` times as fast: intervals, TTL and waits shrink.

        Raises:
            UsageProblem: the scale is not above 0.
        """
        self._call("PUT", "/time-scale", {"scale": scale})

    def hold_time_scale(self, holder: str, scale: float) -> None:
        """Run the embedded AWS's time at this scale until the holder releases it, or the server ends.

        Args:
            holder: who asks; more than one may, for the same scale.

        Raises:
            UsageProblem: the scale is not above 0, or another holder has another one.
        """
        self._call("PUT", "/time-scale/holds", {"holder": holder, "scale": scale})

    def release_time_scale(self, holder: str) -> None:
        """Release what `hold_time_scale` asked for. A scale that is not held is no error."""
        self._call("DELETE", "/time-scale/holds", {"holder": holder})

    def rules(self) -> Mapping[str, float]:
        """What each rule of `payinfra.local.aws_rules` is set to."""
        return _numbers(self._call("GET", "/rules"))

    def set_rules(self, wanted: Mapping[str, float]) -> Mapping[str, float]:
        """Set the rules that are named, until they are reset or the server ends; return all rules.

        Raises:
            UsageProblem: there is no such rule, or its value is not usable.
        """
        return _numbers(self._call("PUT", "/rules", dict(wanted)))

    def reset_rules(self) -> Mapping[str, float]:
        """Turn every rule off again; return all rules."""
        return _numbers(self._call("DELETE", "/rules"))

    def add_region(self, region: str) -> None:
        """Serve one more region, on a port of its own."""
        self._call("POST", "/regions", {"region": region})

    def serve_https(self) -> None:
        """Serve custom domains through TLS in each region, if the server does not do so yet."""
        self._call("POST", "/https")

    def status(self) -> LocalStatus:
        """What the server is doing now.

        Raises:
            EnvironmentUnusable: the server does not answer, or answers something else.
        """
        match self._call("GET", "/status"):
            case {
                "endpoints": endpoints,
                "faults": faults,
                "time_scale": int() | float() as scale,
                "pending_writes": int(pending),
                "started": str(started),
                **more,
            } if known := endpoints_from_json(endpoints):
                holds = more.get("time_scale_holds")
                return LocalStatus(
                    known,
                    _listed(faults),
                    float(scale),
                    pending,
                    started,
                    {str(who): float(what) for who, what in holds.items()} if isinstance(holds, dict) else {},
                )
            case _:
                raise EnvironmentUnusable(
                    "The embedded AWS answered something else than its status.", START_HINT
                )

    def shut_down(self) -> None:
        """Ask the server to save its state and end."""
        self._call("POST", "/shutdown")

    def _call(self, method: str, path: str, body: dict[str, object] | None = None) -> object:
        sent = Sent(
            method,
            self.url + PREFIX + path,
            {TOKEN_HEADER: self.token, "content-type": "application/json"},
            None if body is None else json.dumps(body).encode(),
        )
        try:
            status, answer = self.transport(sent, self.timeout)
            if status >= 400:
                raise _refusal(answer)
            value: object = parse_json(answer)
        except (OSError, ValueError) as error:
            raise EnvironmentUnusable(
                f"The embedded AWS does not answer at {self.url}.", START_HINT
            ) from error
        return value


def over_http(sent: Sent, timeout: float) -> tuple[int, bytes]:
    """Send a call, through no proxy.

    Raises:
        OSError: nobody answers in time.
    """
    request = urllib.request.Request(  # noqa: S310 - a loopback http URL that our own server wrote
        sent.url, data=sent.body, headers=dict(sent.headers), method=sent.method
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _refusal(body: bytes) -> UsageProblem | EnvironmentUnusable:
    try:
        said: object = parse_json(body)
    except ValueError:
        said = None
    match said:
        case {"what": str(what), "hint": str(hint), "usage": True}:
            return UsageProblem(what, hint)
        case {"what": str(what), "hint": str(hint)}:
            return EnvironmentUnusable(what, hint)
        case _:
            return EnvironmentUnusable("The embedded AWS refused the call without a reason.", START_HINT)
