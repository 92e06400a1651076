"""The files of one environment in its work folder: what is known of it between two commands."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from payinfra.core.deployed_environments import (
    BEGUN_FILE,
    OUTPUTS_FILE,
    configured_in,
    deployed_above,
    deployed_from,
    in_words,
    known_ones,
)
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Emit, Notice
from payinfra.core.json_text import parse_json
from payinfra.core.outputs import Outputs
from payinfra.core.private_files import write_private
from payinfra.core.settings import Settings
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.identity import Identity
from payinfra.deployment.recovery.lost_state import with_place
from payinfra.deployment.rollback_journal import RollbackJournal
from payinfra.terraform import OutputValue, Terraform


def _not_sensitive(values: Mapping[str, OutputValue]) -> dict[str, str]:
    return {name: str(value.value) for name, value in values.items() if not value.sensitive}


@dataclass(frozen=True)
class EnvironmentFiles:
    """Plans, journals and outputs of an environment.

    Attributes:
        settings: the environment.
        latest: where a copy of the outputs that were written last is kept.
        emit: told of outputs that had to be read anew.
        published: asks for what the environment's deployment has published; None where no region tells.
    """

    settings: Settings
    latest: Path
    emit: Emit
    published: Callable[[], Outputs | None]

    # -- where ---------------------------------------------------------------------------------------

    @property
    def plan(self) -> Path:
        """The plan that is made or applied now."""
        return self.settings.work_dir / "plan.tfplan"

    @property
    def begun(self) -> Path:
        """A file that exists from the first apply of an environment until an apply has ended well."""
        return self.settings.work_dir / BEGUN_FILE

    @property
    def apply_log(self) -> ApplyLog:
        """What is known of earlier applies."""
        return ApplyLog(self.settings.work_dir / "applied.json")

    @property
    def rollback_journal(self) -> RollbackJournal:
        """What a rolling update must put back if it does not end."""
        return RollbackJournal(self.settings.work_dir / "rolling-update.json")

    @property
    def surviving_journal(self) -> RollbackJournal:
        """The same of an update of one region alone: it must not hide what waits for the other region."""
        return RollbackJournal(self.settings.work_dir / "surviving-update.json")

    @property
    def state(self) -> Path:
        """The state, where it is not in a bucket."""
        return self.settings.work_dir / "terraform.tfstate"

    @property
    def outputs(self) -> Path:
        """The outputs of the last deployment."""
        return self.settings.work_dir / OUTPUTS_FILE

    @property
    def has_state(self) -> bool:
        """Whether there is a state to ask, or a bucket that may hold one."""
        return self.settings.state_bucket is not None or self.state.exists()

    # -- outputs -------------------------------------------------------------------------------------

    def known_outputs(self) -> Outputs | None:
        """The outputs in the environment's own file; None where there is none, or another has to be made.

        Raises:
            EnvironmentUnusable: it is damaged or another environment's, and there is no state to read from.
        """
        file = self.outputs
        if not file.exists():
            return None
        if not (why := self._unusable()):
            return Outputs.read(file)
        aside = file.with_name(f"{file.name}.unusable")
        if self.has_state:
            file.replace(aside)
            self.emit(Notice(f"{why} It is read anew from the state, and kept as {aside}."))
            return None
        published = self.published()
        if published is None:
            raise EnvironmentUnusable(
                f"{why} There is no state here to read them from, and no region tells what was published.",
                f"Move the file away. `{with_place(self.settings, 'adopt')}` takes in what exists.",
            )
        file.replace(aside)
        self.emit(Notice(f"{why} It is read anew from what was published, and kept as {aside}."))
        return self._keep(published, published.to_flat())

    def last_outputs(self) -> Outputs | None:
        """The outputs as they were written last; None where there are none that can be read."""
        try:
            return None if self._unusable() else Outputs.read(self.outputs)
        except EnvironmentUnusable:
            return None

    def recorded_outputs(self, terraform: Terraform) -> Outputs | None:
        """The outputs in the state, which another folder or machine may have deployed; None without a state.

        Raises:
            EnvironmentUnusable: the state lacks some: it is empty, or a deployment's that did not end.
        """
        return Outputs.from_flat(_not_sensitive(terraform.outputs())) if self.has_state else None

    def write_outputs(self, values: Mapping[str, OutputValue]) -> Outputs:
        """Write the outputs that are not sensitive to the environment's file and to the latest copy.

        Raises:
            EnvironmentUnusable: some are missing, because the environment is not whole.
        """
        flat = _not_sensitive(values)
        return self._keep(Outputs.from_flat(flat), flat)

    def write_whole(self, values: Mapping[str, OutputValue]) -> Outputs | None:
        """The same; None where some are missing."""
        try:
            return self.write_outputs(values)
        except EnvironmentUnusable:
            return None

    def _keep(self, outputs: Outputs, flat: Mapping[str, object]) -> Outputs:
        text = json.dumps(flat, indent=2, sort_keys=True) + "\n"
        for file in (self.outputs, self.latest):
            write_private(file, text)
        self.begun.unlink(missing_ok=True)
        return outputs

    def _unusable(self) -> str:
        """Why the file of the outputs is of no use, as a sentence; empty where it is the environment's."""
        try:
            flat = parse_json(self.outputs.read_bytes())
        except (OSError, ValueError):
            return f"{self.outputs} is damaged: it is not JSON."
        if not isinstance(flat, dict):
            return f"{self.outputs} is damaged: it holds no JSON object."
        try:
            envs = Identity.of_outputs(Outputs.from_flat(flat)).envs
        except EnvironmentUnusable:
            return ""  # of another version, or of a deployment that did not end
        foreign = ", ".join(sorted(envs - {self.settings.env}))
        of_whom = f"is not of environment {self.settings.env} but of {foreign}"
        return f"{self.outputs} {of_whom}." if foreign else ""

    # -- an environment that is gone, or was never here ------------------------------------------------

    def forget(self) -> None:
        """Remove what is known of an environment that is gone; the latest copy where it is of this one."""
        own, latest = self.outputs, self.latest
        if own.exists() and latest.exists() and own.read_bytes() == latest.read_bytes():
            latest.unlink()
        own.unlink(missing_ok=True)
        self.begun.unlink(missing_ok=True)
        self.apply_log.forget()
        self.rollback_journal.end()
        self.surviving_journal.end()

    def not_deployed(self, so: str = "") -> EnvironmentUnusable:
        """The error that says that this environment is none, and which ones are known here.

        Args:
            so: what follows from that, in a sentence.
        """
        settings = self.settings
        where = in_words(settings.target)
        what = f"Environment {settings.env} was not deployed from this folder to {where}. {so}".strip()
        deployed, configured = deployed_from(settings.work_root), configured_in(settings.project)
        if hint := known_ones(settings.env, settings.target, deployed, configured):
            return EnvironmentUnusable(what, hint)
        if above := deployed_above(settings.project, settings.env, settings.target):
            there = f"Run the same command there, or with `--project {shlex.quote(str(above))}`."
            return EnvironmentUnusable(what, f"It was deployed from {above}. {there}")
        if so:
            return EnvironmentUnusable(what, "Nothing was deployed from this folder.")
        return EnvironmentUnusable(
            f"{what} If it does exist, `{settings.command('adopt')}` takes it in.",
            f"Run `{settings.command('deploy')}`.",
        )
