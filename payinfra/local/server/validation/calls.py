"""A call as a rule sees it, and the refusal that a rule answers it with."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from payinfra.local.server.ministack import Emulator


class AwsRefusal(Exception):
    """AWS refuses a call.

    Args:
        code: the error's code, as an SDK reads it.
        status: of the HTTP answer.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class ServiceCall:
    """A call that IAM allows and whose parameters fit its operation's model.

    Attributes:
        service: as requests are signed for it.
        operation: its name in the API reference.
        parameters: as the API reference names them.
        headers: of the request, with names in lower case.
    """

    emulator: Emulator
    service: str
    operation: str
    parameters: Mapping[str, Any]
    headers: Mapping[str, str]
    region: str
    account: str

    def text(self, name: str) -> str:
        """A parameter that is a text; empty where there is none."""
        value = self.parameters.get(name)
        return value if isinstance(value, str) else ""

    def entries(self, name: str) -> list[Any]:
        """A parameter that is a list; empty where there is none."""
        value = self.parameters.get(name)
        return value if isinstance(value, list) else []

    def inner(self, name: str) -> Mapping[str, Any]:
        """A parameter that is a structure or a map; empty where there is none."""
        value = self.parameters.get(name)
        return value if isinstance(value, dict) else {}

    def module(self, name: str) -> Any:
        """A service's module, by ministack's own short name."""
        return self.emulator.service(name)


Rule = Callable[[ServiceCall], None]
"""Raises AwsRefusal for a call that AWS refuses."""
Rules = Mapping[str, tuple[Rule, ...]]
"""Rules by the name of their operation."""


def for_each(operations: Iterable[str], rule: Rule) -> dict[str, tuple[Rule, ...]]:
    """One rule for several operations."""
    return dict.fromkeys(operations, (rule,))


def joined(*parts: dict[str, tuple[Rule, ...]]) -> dict[str, tuple[Rule, ...]]:
    """The rules of several tables; those of one operation follow each other."""
    found: dict[str, tuple[Rule, ...]] = {}
    for part in parts:
        for operation, rules in part.items():
            found[operation] = found.get(operation, ()) + rules
    return found


def refuse_if(found: bool, code: str, message: str, status: int = 400) -> None:
    """Refuse a call where something is so.

    Raises:
        AwsRefusal: it is.
    """
    if found:
        raise AwsRefusal(code, message, status)


def key_state(call: ServiceCall, key: str, region: str = "") -> str | None:
    """The state of a customer key, by its id, ARN or alias, in a region; None where there is no such key."""
    with call.emulator.scope(call.account, region or call.region):
        found = call.module("kms")._resolve_key(key)
    return str(found["KeyState"]) if found else None


def texts_in(value: Any) -> Iterator[str]:
    """Every text of what may be one text or a list of them."""
    yield from (str(one) for one in (value if isinstance(value, list) else [value]) if one is not None)
