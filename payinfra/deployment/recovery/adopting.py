"""Takes an environment whose state is lost into a new state. Nothing on AWS is changed.

One plan imports all that was found, and is made to ignore every difference from the stack. What an import
leaves out is then written into the state (see `unreadable`). A plan by the stack alone tells whether the
environment is what the stack would deploy: empty if it is, and else what the next deployment would change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, ToolFailed
from payinfra.deployment.recovery.discovery import identifiers
from payinfra.deployment.recovery.every_type import MADE_WITHOUT_AWS
from payinfra.deployment.recovery.matching import Matched, Matching
from payinfra.deployment.recovery.unreadable import filled
from payinfra.deployment.rolling_update import Graph
from payinfra.deployment.stack_manifest import StackFile
from payinfra.terraform import (
    ChangeAction,
    Creation,
    Import,
    Kept,
    OutputValue,
    Plan,
    PlannedChange,
    ResourceChange,
)
from payinfra.terraform.jsonvalue import JsonValue

ROUNDS = 3
"""How often to plan, and write what an import left out: what depends on it shows only then."""


class StateEditor(Protocol):
    """What is needed of `Terraform`."""

    def resources(self) -> tuple[Kept, ...]:
        """What the state knows."""

    def creations(self, plan: Path) -> tuple[Creation, ...]:
        """What a saved plan would create."""

    def planned_changes(self, plan: Path) -> tuple[PlannedChange, ...]:
        """What a saved plan would do to what exists."""

    def adopt(self, imports: Sequence[Import]) -> None:
        """Take resources into the state at once, whatever they depend on."""

    def set_attributes(self, values: Mapping[str, Mapping[str, JsonValue]]) -> None:
        """Write attributes into the state."""

    def apply(self, plan: Path) -> Mapping[str, OutputValue]:
        """Apply a saved plan."""


class Planner(Protocol):
    """Makes a plan of the stack, as a stage of the pipeline."""

    def __call__(
        self,
        stage: str,
        *,
        targets: tuple[str, ...] = (),
        imports: tuple[Import, ...] = (),
        unchanged: tuple[str, ...] = (),
    ) -> Plan:
        """Plan."""


@dataclass(frozen=True)
class ImportPlan:
    """How to take resources into the state.

    Attributes:
        plan: what is shown and confirmed: all imports, and nothing else.
        identifiers: of what it imports; see `discovery.identifiers`.
        one_by_one: those that need something that does not exist, which a plan would make.
    """

    plan: Plan
    identifiers: frozenset[str]
    one_by_one: tuple[Import, ...]


@dataclass(frozen=True)
class Adoption:
    """The steps of an adoption.

    Args:
        terraform: in the environment's folder, initialised.
        aws: where the environment is.
        stack: its cdk.tf.json.
        planner: makes plans.
    """

    terraform: StateEditor
    aws: Aws
    stack: Path
    planner: Planner

    def match(self, wanted: Sequence[Creation]) -> Matched:
        """What exists of what the stack has and the state does not know.

        Raises:
            EnvironmentUnusable: AWS does not answer.
        """
        return Matching(self.aws, self.stack, self.terraform.resources()).match(wanted)

    def import_plan(self, matched: Matched, wanted: Sequence[Creation]) -> ImportPlan:
        """A plan that imports what was found and changes nothing.

        Raises:
            ToolFailed: it would still change something, which is a bug; nothing was changed.
        """
        types = {one.address: one.type for one in wanted}
        there = {one.address for one in matched.imports}
        missing = {address for address, type_ in types.items() if type_ not in MADE_WITHOUT_AWS} - there
        graph = Graph.read(self.stack)
        one_by_one = tuple(one for one in matched.imports if graph.closure((one.address,)) & missing)
        together = tuple(one for one in matched.imports if one not in one_by_one)
        alone = tuple(
            ResourceChange(one.address, types[one.address], ChangeAction.IMPORT, "", one.id)
            for one in one_by_one
        )
        if not together:
            return ImportPlan(Plan(Path(), 0, 0, 0, changes=alone), frozenset(), one_by_one)
        plan = self.planner(
            "import",
            targets=tuple(one.address for one in together) if missing else (),
            imports=together,
            unchanged=tuple(one.address for one in StackFile.read(self.stack).resources),
        )
        if touched := [one.address for one in plan.changes if not _is_pure(one)]:
            raise ToolFailed(
                f"The import would change {', '.join(touched)}, which it must not.",
                "Nothing was changed. This is a defect of payinfra: please report it.",
            )
        found = self.terraform.planned_changes(plan.file)
        names = frozenset(name for one in found for name in identifiers(one.type, one.before))
        return ImportPlan(replace(plan, changes=plan.changes + alone), names, one_by_one)

    def take_in(self, planned: ImportPlan) -> None:
        """Import what was planned."""
        if planned.plan.file != Path():
            self.terraform.apply(planned.plan.file)
        if planned.one_by_one:
            self.terraform.adopt(planned.one_by_one)

    def settle(self) -> Plan:
        """Write into the state what the imports left out; the plan by the stack alone, after that.

        Raises:
            EnvironmentUnusable: AWS does not answer.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        plan = self.planner("plan")
        for _ in range(ROUNDS):
            changes = [one for one in plan.changes if one.action is not ChangeAction.READ]
            if changes:
                try:
                    found = {
                        one.address: filled(one, self.aws)
                        for one in self.terraform.planned_changes(plan.file)
                    }
                except (BotoCoreError, ClientError) as error:
                    raise EnvironmentUnusable(
                        f"AWS does not say what an import left out: {error}.",
                        "Mend the cause and run the same command again: it goes on from here.",
                    ) from None
                values = {address: more for address, more in found.items() if more}
                if not values:
                    break
                self.terraform.set_attributes(values)
            elif plan.outputs:
                self.terraform.apply(plan.file)  # of the state alone
            else:
                break
            plan = self.planner("plan")
        return plan


def _is_pure(change: ResourceChange) -> bool:
    """Whether a change leaves AWS as it is."""
    if change.action is ChangeAction.CREATE:
        return change.type in MADE_WITHOUT_AWS
    return change.action in (ChangeAction.IMPORT, ChangeAction.READ)
