"""What a person has agreed to in a deployment that is tried again: the same is not asked twice."""

from dataclasses import dataclass, field

from payinfra.deployment.workspace import Confirm
from payinfra.terraform import ChangeAction, Plan

Agreed = tuple[str, ChangeAction]
"""An address and what is done to it."""


@dataclass
class AgreedChanges:
    """Asks a person about a plan, unless it holds nothing but what the person has agreed to before.

    A deployment is tried again while policies do not see its new keys, and each time the rest of the same
    plan is planned anew. What was to be created may be finished as an update: it had been begun.

    Args:
        confirm: asks the person.
    """

    confirm: Confirm
    _agreed: set[Agreed] = field(default_factory=set, init=False)

    def __call__(self, plan: Plan) -> bool:
        """Whether the person agrees, or has agreed to all of it."""
        asked = {
            (change.address, change.action)
            for change in plan.changes
            if change.action is not ChangeAction.READ
        }
        if asked and asked <= self._agreed:
            return True
        if not self.confirm(plan):
            return False
        self._agreed |= asked
        self._agreed |= {
            (address, ChangeAction.UPDATE) for address, action in asked if action is ChangeAction.CREATE
        }
        return True
