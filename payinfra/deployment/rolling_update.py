"""Updates in waves: one region first, the secondary as a rule, then the other and what is global.

What goes first follows from the synthesized stack (which resource is whose, and which needs which) and from
what the plan changes. Nothing here asks or changes anything.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.deployment.stack_manifest import StackFile
from payinfra.terraform.plan import ChangeAction, Plan

_ADDRESS = re.compile(r"(?:data\.)?[a-z][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_-]*")
_SERVING = ("aws_lambda_alias", "aws_api_gateway_stage")
"""What a request meets first; all that these need is what a region needs in order to serve."""


class Role(StrEnum):
    """A region's part."""

    PRIMARY = "primary"
    SECONDARY = "secondary"

    def of(self, outputs: Outputs) -> RegionOutputs:
        """The region that has this part."""
        return outputs.primary if self is Role.PRIMARY else outputs.secondary

    @property
    def other(self) -> "Role":
        """The part of the other region."""
        return Role.SECONDARY if self is Role.PRIMARY else Role.PRIMARY


@dataclass(frozen=True)
class RolloutStep:
    """One step of an update.

    Attributes:
        role: the region that is proven afterwards, and whose function is pointed back if that fails.
        targets: the addresses to plan for; none for all that is left.
    """

    role: Role
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """Whose each resource is, and what it refers to.

    Attributes:
        providers: each address's provider, such as `aws.secondary`.
        needs: the addresses that each address's block names, those of local values among them: Terraform
            plans what a target refers to through one as well.
    """

    providers: Mapping[str, str]
    needs: Mapping[str, frozenset[str]]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read one of our own cdk.tf.json files."""
        stack = StackFile.read(file)
        blocks = (*stack.data, *stack.resources)
        texts = {**{one.address: one.text for one in blocks}, **stack.local_values}
        return cls(
            {one.address: one.provider for one in blocks},
            {address: frozenset(_ADDRESS.findall(text)) & texts.keys() for address, text in texts.items()},
        )

    def closure(self, addresses: Iterable[str]) -> frozenset[str]:
        """The addresses, and all that they need, however far away."""
        found: set[str] = set()
        waiting = list(addresses)
        while waiting:
            address = waiting.pop()
            if address not in found:
                found.add(address)
                waiting.extend(self.needs.get(address, ()))
        return frozenset(found)

    def belongs_to(self, role: Role, address: str) -> bool:
        """Whether the region's provider makes it. What is global, or has left the stack, is no region's."""
        return self.providers.get(address) == f"aws.{role}"


def plan_rollout(graph: Graph, plan: Plan, first: Role = Role.SECONDARY) -> tuple[RolloutStep, ...]:
    """How to apply what the plan changes.

    The first region's own changes go first, with what it needs in order to serve, whoever owns that: the
    table, say. What of it needs other changes of the other region, as its dashboard does, waits for those.

    Args:
        first: the region that goes first.

    Returns:
        Two waves; or one, without targets, where only one of them would have anything to do.
    """
    changed = {
        change.address.partition("[")[0] for change in plan.changes if change.action is not ChangeAction.READ
    }
    shared = graph.closure(
        address
        for address in graph.providers
        if address.startswith(_SERVING) and graph.belongs_to(first, address)
    )
    wait = {address for address in changed - shared if not graph.belongs_to(first, address)}
    leading = {
        address
        for address in changed
        if graph.belongs_to(first, address) and not graph.closure((address,)) & wait
    }
    if not leading:
        return (RolloutStep(first.other),)
    if not changed - graph.closure(leading):
        return (RolloutStep(first),)
    return RolloutStep(first, tuple(sorted(leading))), RolloutStep(first.other)


_NAMED = 12


def announced(plan: Plan) -> str:
    """What a wave's plan changes, in one line."""
    named = [f"{change.action} {change.address}" for change in plan.changes[:_NAMED]]
    more = len(plan.changes) - len(named)
    return ", ".join([*named, f"and {more} more"] if more else named) or "outputs only"
