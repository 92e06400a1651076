"""Notices a state that is lost, and one that is somebody else's, before a command works on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from payinfra.account.environments.model import ResourceKind, TaggedResource
from payinfra.account.environments.state_settings import STATE_FILE
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.discovery import only_keys, serves_in
from payinfra.deployment.recovery.identity import Identity
from payinfra.terraform import Kept
from payinfra.terraform.jsonvalue import parse
from payinfra.terraform.state import kept

NAMED = 5
"""How many resources of an environment whose state is lost are named."""
PLACE = ("state_bucket", "state_region", "state_key", "primary_region", "secondary_region")
"""The settings that say where a state is, and of which regions."""
TELLING = (ResourceKind.TABLE, ResourceKind.FUNCTION, ResourceKind.BUCKET)
"""What is named first: it says most."""


def with_place(settings: Settings, command: str) -> str:
    """A command line for the environment, with the flags on which it depends where the state is."""
    given = (name for name in PLACE if settings.origins.get(name) == "flag")
    flags = (f" --{name.replace('_', '-')} {getattr(settings, name)}" for name in given)
    return settings.command(command) + "".join(flags)


class StateReader(Protocol):
    """What is needed of `Terraform`."""

    def resources(self) -> tuple[Kept, ...]:
        """What the state knows. Waits for what a killed run left behind."""


@dataclass(frozen=True)
class StateGuard:
    """The state of one environment, held against what else says that the environment exists.

    Args:
        settings: the environment.
        journal: what is known here of earlier applies.
        outputs: the file of its outputs here, which need not be there.
        account: whose credentials are in use, as twelve digits.
        existing: what exists of it in the account.
    """

    settings: Settings
    journal: ApplyLog
    outputs: Path
    account: Callable[[], str]
    existing: Callable[[], Sequence[TaggedResource]]

    @property
    def place(self) -> str:
        """Where the state is, for a person."""
        bucket, key = self.settings.state_bucket, self.settings.state_key
        return f"s3://{bucket}/{key or self.settings.names.state_key}" if bucket else str(self._file)

    @property
    def adopt(self) -> str:
        """The command that adopts it, with the flags on which it depends where the state is."""
        return with_place(self.settings, "adopt")

    @property
    def adopting(self) -> Path:
        """A file that exists from the first import of an adoption until it has ended."""
        return self.settings.work_dir / "adopting"

    @property
    def _file(self) -> Path:
        return self.settings.work_dir / STATE_FILE

    def require_own(self, account: str) -> None:
        """Refuse a state and outputs in the work folder that are another environment's or account's.

        Raises:
            EnvironmentUnusable: they are, or the state is damaged.
        """
        env, state = self.settings.env, self._local()
        Identity.of_state(state).require(env, account, str(self._file))
        if state or self.settings.state_bucket is not None:
            return  # outputs that are not of this state are read anew from it
        try:
            outputs = Outputs.read(self.outputs)
        except EnvironmentUnusable:  # there are none, or whoever needs them says what is wrong
            return
        Identity.of_outputs(outputs).require(env, account, str(self.outputs))

    def require_known(self, terraform: StateReader) -> None:
        """Refuse a state that knows nothing of an environment that exists, or only a part of it.

        A first deployment that was cut off is no such case, however little its state knows: the journal
        beside the state tells from when on things are the environment's, and recovery finds them. Without
        that journal nothing tells, and a person has to.

        Raises:
            EnvironmentUnusable: the state is lost, an adoption did not end, or AWS does not answer.
        """
        if self.adopting.exists():
            raise EnvironmentUnusable(
                f"An adoption of environment {self.settings.env} did not end: its state knows only a part.",
                f"Run `{self.adopt}` again: it goes on from there.",
            )
        remote = self.settings.state_bucket is not None
        if self._local() or (remote and self.state(terraform)):
            return
        if self.journal.is_open and self.journal.never_ended and not self.outputs.exists():
            return
        there = self.existing()
        # A killed run's Terraform may save a local state only now; where nothing exists there is no such run.
        if only_keys(there) or (not remote and self.state(terraform)):
            return
        telling = sorted(there, key=lambda one: one.kind not in TELLING)
        named = ", ".join(one.arn for one in telling[:NAMED])
        more = f" and {len(there) - NAMED} more" if len(there) > NAMED else ""
        raise EnvironmentUnusable(
            f"Environment {self.settings.env} exists, and its state {self.place} knows nothing of it. "
            f"There are: {named}{more}. Nothing was changed.",
            "If its state is elsewhere, use that one: its folder, or its --state-bucket. If it is lost, run "
            f"`{self.adopt}`: it takes what exists into the state.",
        )

    def state(self, terraform: StateReader) -> tuple[Kept, ...]:
        """What the state knows, wherever it is.

        Raises:
            EnvironmentUnusable: it is another environment's or account's.
        """
        found = terraform.resources()
        if found:
            Identity.of_state(found).require(self.settings.env, self.account(), self.place)
        return found

    def existing_here(self) -> Sequence[TaggedResource]:
        """What exists of the environment, which serves in the regions of the settings.

        Raises:
            EnvironmentUnusable: it serves elsewhere, or AWS does not answer.
        """
        there = self.existing()
        serving = serves_in(there)
        if serving - {*self.settings.regions}:
            raise EnvironmentUnusable(
                f"Environment {self.settings.env} serves in {' and '.join(sorted(serving))}, and the "
                f"settings say {' and '.join(self.settings.regions)}.",
                "Name its regions with --primary-region and --secondary-region, as it was deployed.",
            )
        return there

    def require_gone(self, left: Sequence[TaggedResource]) -> None:
        """End a destruction well only where nothing is left: a check of the result, as `verify` is one.

        Raises:
            GateFailed: something is left.
        """
        if left:
            raise GateFailed(
                f"What the state knew of {self.settings.env} is destroyed, and {len(left)} resources under "
                f"its name or tags are left: {', '.join(one.arn for one in left)}.",
                f"Run `{self.adopt}`, then this again: what is of the stack goes then. "
                "Delete by hand what `adopt` lists as left over, unless something needs it.",
            )

    def _local(self) -> tuple[Kept, ...]:
        """What a state in the work folder knows."""
        if self.settings.state_bucket is not None:
            return ()
        try:
            said = self._file.read_bytes()
            return kept(parse(said)) if said.strip() else ()
        except FileNotFoundError:
            return ()
        except ValueError:
            raise EnvironmentUnusable(
                f"The state {self._file} is damaged: it is not JSON.",
                f"Put back a copy of it, or move it away: `{self.adopt}` then takes in what exists.",
            ) from None
