"""What a command does about drills: one that runs, and ones that may have left something in place."""

from dataclasses import dataclass

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes import drill_faults
from payinfra.checks.probes.outage import ANSWERS
from payinfra.checks.probes.results import VerifyRequest, joined, outcome
from payinfra.clients.aws import Endpoints
from payinfra.core.environment_lock import holder
from payinfra.core.errors import GateFailed
from payinfra.core.events import Emit, Notice
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment.left_faults import still_ringing
from payinfra.deployment.pipeline_dependencies import PipelineDependencies
from payinfra.drill.environment import COMMAND as DRILL_COMMAND
from payinfra.drill.environment import FOLDER as DRILLS


@dataclass(frozen=True)
class DrillLeftovers:
    """Looks for what drills have left in an environment, by their journals and by the environment itself."""

    settings: Settings
    emit: Emit
    dependencies: PipelineDependencies

    @property
    def drill_runs(self) -> bool:
        """Whether a drill runs here: what is in place is that one's."""
        return f"payinfra {DRILL_COMMAND}" in holder(self.settings.work_dir)

    def open_drills(self) -> str:
        """What drills may have left in place, in a sentence; empty where there is none."""
        from payinfra.drill.faults.journal import open_journals

        left = open_journals(self.settings.work_dir / DRILLS)
        names = ", ".join(path.parent.name for path in left)
        return f"A drill did not end, and may have left something in place: {names}." if left else ""

    def tell_what_goes_on(self) -> None:
        """Say who works on the environment now, or that a drill which is over may have left something."""
        if working := holder(self.settings.work_dir):
            self.emit(Notice(f"{working}. What that does to the environment is seen here."))
        elif left := self.open_drills():
            self.emit(Notice(f"{left} Run `{self._restore_command}`."))

    def refuse_open_drills(self) -> None:
        """Refuse to go on while a drill has not ended.

        Raises:
            GateFailed: one has not.
        """
        if left := self.open_drills():
            raise GateFailed(left, f"Put everything back first: `{self._restore_command}`.")

    def refuse_left_faults(self, known: Outputs | None, endpoints: Endpoints | None) -> None:
        """Refuse where no journal tells of a fault that is in place: a deployment would remove its mark only.

        What cannot be looked at keeps no deployment from mending it.

        Raises:
            GateFailed: one is in place.
        """
        left = known and self.dependencies.left_faults(self.settings, known, endpoints)
        if left and left.in_place:
            raise GateFailed(
                f"A drill has left something in place. {' '.join(left.in_place)}",
                f"Put everything back first: `{self._restore_command}`.",
            )

    def added_to(
        self, verified: Outcome, outputs: Outputs, endpoints: Endpoints | None, request: VerifyRequest
    ) -> Outcome:
        """The outcome of the probes, with what drills have left; not while one runs."""
        if ringing := still_ringing(verified, self.settings.work_dir / DRILLS):
            self.emit(Notice(ringing))
        if self.drill_runs:
            return verified
        left = self.dependencies.left_faults(self.settings, outputs, endpoints)
        # Who asks for some probes only is told of a fault too: it explains what the probes report.
        if left is None or (request.only and not (left.in_place or left.unknown)):
            return verified
        silent = [one.address for one in verified.findings if one.id == ANSWERS.id]
        regions = ", ".join(self.settings.regions)
        result = drill_faults.judge(regions, left.in_place, left.not_of(silent), left.seconds)
        request.tell(result)
        return joined(verified, outcome((result,)))

    @property
    def _restore_command(self) -> str:
        from payinfra.drill.faults.journal import restore_command

        return restore_command(self.settings.env, self.settings.target.value)
