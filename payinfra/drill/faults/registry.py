"""Every fault that there is. A module of this package registers its fault when it is imported.

`all_faults` imports the whole package, so that a new module needs no list to be put into.
"""

import json
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from payinfra.core.errors import EnvironmentUnusable, UsageProblem, did_you_mean
from payinfra.drill import faults as package
from payinfra.drill.faults.actions import ACTION_KINDS, FaultAction
from payinfra.drill.faults.model import Fault

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_FAULTS: dict[str, Fault] = {}
_NEWER = "Restore with the version of payinfra that began the drill, or put it back by hand."


def register(fault: Fault) -> Fault:
    """Make a fault known.

    Raises:
        ValueError: another one has its name: a bug.
    """
    if fault.name in _FAULTS:
        raise ValueError(f"the fault {fault.name} is registered twice")
    _FAULTS[fault.name] = fault
    return fault


def all_faults() -> tuple[Fault, ...]:
    """Every fault, in the order of their names."""
    _import_package()
    return tuple(_FAULTS[name] for name in sorted(_FAULTS))


def fault_named(name: str) -> Fault:
    """The fault of that name.

    Raises:
        UsageProblem: there is none.
    """
    _import_package()
    if name not in _FAULTS:
        raise UsageProblem(
            f"There is no scenario {name!r}{did_you_mean(name, _FAULTS) or '.'}",
            f"Known: {', '.join(sorted(_FAULTS))}.",
        )
    return _FAULTS[name]


def switches_names(names: Iterable[str]) -> bool:
    """Whether any of these faults makes names drop the region; one that is not known here makes none."""
    return any(fault.switches_names for fault in all_faults() if fault.name in set(names))


@cache
def _import_package() -> None:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        import_module(module.name)


# -- the journal's form of an action -----------------------------------------------------------------------


def action_to_json(action: FaultAction) -> dict[str, object]:
    """The action as the journal keeps it."""
    fields: dict[str, object] = _adapter(type(action)).dump_python(action, mode="json")
    return {"kind": action.kind, **fields}


def action_from_json(value: object) -> FaultAction:
    """Read what `action_to_json` wrote.

    Raises:
        EnvironmentUnusable: this version knows no such action, or it is not whole.
    """
    from pydantic import ValidationError

    _import_package()
    match value:
        case {"kind": str(kind), **fields} if kind in ACTION_KINDS:
            try:
                return _adapter(ACTION_KINDS[kind]).validate_json(json.dumps(fields), strict=True)
            except ValidationError as error:
                where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
                raise EnvironmentUnusable(f"An action {kind} lacks a good {where}.", _NEWER) from None
        case _:
            raise EnvironmentUnusable(f"This payinfra knows no action {value!r}.", _NEWER)


@cache
def _adapter(action: type[FaultAction]) -> "TypeAdapter[FaultAction]":
    from pydantic import TypeAdapter

    return TypeAdapter(action)
