"""A person is asked about a plan once; what a later one has besides is asked about."""

from pathlib import Path

import pytest

from payinfra.deployment.agreed_changes import AgreedChanges
from payinfra.terraform import ChangeAction, Plan, ResourceChange

KEY, ALIAS = "aws_kms_key.x", "aws_kms_alias.x"
CREATE, UPDATE, DELETE, READ = (
    ChangeAction.CREATE,
    ChangeAction.UPDATE,
    ChangeAction.DELETE,
    ChangeAction.READ,
)


def plan(*changes: tuple[str, ChangeAction]) -> Plan:
    return Plan(
        Path("plan.tfplan"),
        0,
        0,
        0,
        tuple(ResourceChange(address, address.partition(".")[0], action) for address, action in changes),
    )


class Person:
    """Agrees or not, and remembers about what."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.agrees = agrees
        self.asked: list[Plan] = []

    def __call__(self, asked: Plan) -> bool:
        self.asked.append(asked)
        return self.agrees


@pytest.mark.parametrize(
    "again",
    [
        plan((KEY, CREATE), (ALIAS, CREATE)),
        plan((ALIAS, CREATE)),
        plan((ALIAS, CREATE), ("data.x", READ)),
        plan((KEY, UPDATE), (ALIAS, CREATE)),
    ],
)
def test_the_same_or_less_is_not_asked_again(again: Plan) -> None:
    person = Person()
    confirm = AgreedChanges(person)
    assert confirm(plan((KEY, CREATE), (ALIAS, CREATE)))
    assert confirm(again)
    assert len(person.asked) == 1


@pytest.mark.parametrize(
    "more",
    [
        plan((KEY, CREATE), ("aws_iam_role.x", CREATE)),
        plan((KEY, DELETE)),
        plan((KEY, ChangeAction.REPLACE)),
        plan((KEY, ChangeAction.IMPORT)),
        plan(),
    ],
)
def test_anything_else_is_asked_about(more: Plan) -> None:
    person = Person()
    confirm = AgreedChanges(person)
    assert confirm(plan((KEY, CREATE), (ALIAS, CREATE)))
    assert confirm(more)
    assert len(person.asked) == 2


def test_what_a_person_did_not_agree_to_is_not_agreed_to() -> None:
    person = Person(agrees=False)
    confirm = AgreedChanges(person)
    assert not confirm(plan((KEY, CREATE)))
    assert not confirm(plan((KEY, CREATE)))
    assert len(person.asked) == 2
