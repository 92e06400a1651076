"""payinfra: a two-region AWS payments backend, from flags to verified, and a rehearsal of losing a region.

Scripts import from here: `from payinfra import Settings, deploy, verify`. Each name is loaded on first use,
so that importing the package costs nothing.
"""

import _signal  # type: ignore[import-not-found]  # typeshed does not list it
import sys
from posix import _exit

# Python answers a Ctrl-C with a traceback, also while it imports what handles signals: `signal` itself takes
# milliseconds. Only where payinfra is the program, and nobody else has said what a Ctrl-C does: a script that
# imports this keeps its own ways.
_program = sys.argv[0].rpartition("/")[2] if sys.argv else ""
if _program in ("payinfra", "-m") and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, lambda _number, _frame: _exit(130))

from importlib import import_module  # noqa: E402 - after the handler above
from typing import TYPE_CHECKING  # noqa: E402 - after the handler above

from payinfra.core.version import __version__  # noqa: E402 - after the handler above

if TYPE_CHECKING:
    from payinfra.api import check as check
    from payinfra.api import deploy as deploy
    from payinfra.api import destroy as destroy
    from payinfra.api import plan as plan
    from payinfra.api import read_outputs as read_outputs
    from payinfra.api import restore_drills as restore_drills
    from payinfra.api import run_drill as run_drill
    from payinfra.api import synth as synth
    from payinfra.api import verify as verify
    from payinfra.checks.outcome import Finding as Finding
    from payinfra.checks.outcome import Outcome as Outcome
    from payinfra.checks.verdicts import Kind as Kind
    from payinfra.checks.verdicts import Severity as Severity
    from payinfra.core.errors import EnvironmentUnusable as EnvironmentUnusable
    from payinfra.core.errors import ExitCode as ExitCode
    from payinfra.core.errors import GateFailed as GateFailed
    from payinfra.core.errors import PayinfraError as PayinfraError
    from payinfra.core.errors import ToolFailed as ToolFailed
    from payinfra.core.errors import UsageProblem as UsageProblem
    from payinfra.core.events import Event as Event
    from payinfra.core.outputs import Outputs as Outputs
    from payinfra.core.outputs import RegionOutputs as RegionOutputs
    from payinfra.core.settings import Settings as Settings
    from payinfra.core.settings import Target as Target
    from payinfra.deployment.results import Deployed as Deployed
    from payinfra.deployment.results import Destroyed as Destroyed
    from payinfra.deployment.results import Synthesized as Synthesized
    from payinfra.drill.model import DrillReport as DrillReport
    from payinfra.drill.model import DrillRequest as DrillRequest
    from payinfra.drill.model import Scenario as Scenario
    from payinfra.terraform.plan import Plan as Plan

_HOMES = {
    "payinfra.checks.outcome": ("Finding", "Outcome"),
    "payinfra.checks.verdicts": ("Kind", "Severity"),
    "payinfra.drill.model": ("DrillReport", "DrillRequest", "Scenario"),
    "payinfra.core.errors": (
        *("EnvironmentUnusable", "ExitCode", "GateFailed", "PayinfraError", "ToolFailed", "UsageProblem"),
    ),
    "payinfra.core.events": ("Event",),
    "payinfra.api": (
        *("check", "deploy", "destroy", "plan", "read_outputs", "restore_drills", "run_drill", "synth"),
        "verify",
    ),
    "payinfra.core.outputs": ("Outputs", "RegionOutputs"),
    "payinfra.deployment.results": ("Deployed", "Destroyed", "Synthesized"),
    "payinfra.core.settings": ("Settings", "Target"),
    "payinfra.terraform.plan": ("Plan",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]

# Hidden from type checkers, which report names that do not exist.
if not TYPE_CHECKING:  # pragma: no branch - only a type checker goes the other way

    def __getattr__(name: str) -> object:
        """Load one of the names above (PEP 562)."""
        if name not in _HOME_OF:
            raise AttributeError(f"module 'payinfra' has no attribute {name!r}")
        return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
