"""payinfra: a two-region AWS payments backend, from flags to verified, and a rehearsal of losing a region.

What pipelines may script is imported from here: `from payinfra import Settings, deploy, verify`. Each name is
loaded when it is first asked for, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payinfra.checks.outcome import Finding as Finding
    from payinfra.checks.outcome import Outcome as Outcome
    from payinfra.checks.verdicts import Kind as Kind
    from payinfra.checks.verdicts import Severity as Severity
    from payinfra.drill.model import DrillReport as DrillReport
    from payinfra.drill.model import DrillRequest as DrillRequest
    from payinfra.drill.model import Scenario as Scenario
    from payinfra.errors import EnvironmentUnusable as EnvironmentUnusable
    from payinfra.errors import ExitCode as ExitCode
    from payinfra.errors import GateFailed as GateFailed
    from payinfra.errors import PayinfraError as PayinfraError
    from payinfra.errors import ToolFailed as ToolFailed
    from payinfra.errors import UsageProblem as UsageProblem
    from payinfra.events import Event as Event
    from payinfra.library import check as check
    from payinfra.library import deploy as deploy
    from payinfra.library import destroy as destroy
    from payinfra.library import plan as plan
    from payinfra.library import read_outputs as read_outputs
    from payinfra.library import restore_drills as restore_drills
    from payinfra.library import run_drill as run_drill
    from payinfra.library import synth as synth
    from payinfra.library import verify as verify
    from payinfra.outputs import Outputs as Outputs
    from payinfra.outputs import RegionOutputs as RegionOutputs
    from payinfra.results import Deployed as Deployed
    from payinfra.results import Destroyed as Destroyed
    from payinfra.results import Synthesized as Synthesized
    from payinfra.settings import Settings as Settings
    from payinfra.settings import Target as Target
    from payinfra.terraform.plan import Plan as Plan

__version__ = "0.1.0"

_HOMES = {
    "payinfra.checks.outcome": ("Finding", "Outcome"),
    "payinfra.checks.verdicts": ("Kind", "Severity"),
    "payinfra.drill.model": ("DrillReport", "DrillRequest", "Scenario"),
    "payinfra.errors": (
        *("EnvironmentUnusable", "ExitCode", "GateFailed", "PayinfraError", "ToolFailed", "UsageProblem"),
    ),
    "payinfra.events": ("Event",),
    "payinfra.library": (
        *("check", "deploy", "destroy", "plan", "read_outputs", "restore_drills", "run_drill", "synth"),
        "verify",
    ),
    "payinfra.outputs": ("Outputs", "RegionOutputs"),
    "payinfra.results": ("Deployed", "Destroyed", "Synthesized"),
    "payinfra.settings": ("Settings", "Target"),
    "payinfra.terraform.plan": ("Plan",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]

# A name that does not exist stays a type checker's business.
if not TYPE_CHECKING:  # pragma: no branch - only a type checker goes the other way

    def __getattr__(name: str) -> object:
        """Load one of the names above (PEP 562)."""
        if name not in _HOME_OF:
            raise AttributeError(f"module 'payinfra' has no attribute {name!r}")
        return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
