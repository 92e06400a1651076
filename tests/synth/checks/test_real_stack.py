"""The catalogue over the stack that payinfra synthesizes: nothing to find, nothing to take away."""

from typing import TYPE_CHECKING

import pytest

from payinfra.checks.verdicts import Kind
from tests.support.guards import GUARDS, ONLY_WARNED, at, places

if TYPE_CHECKING:
    from tests.synth.checks.conftest import RealStack


@pytest.mark.parametrize("env", ["demo", "prod", "stage", "qa", "live", "team"])
def test_the_real_stack_has_no_finding(real: "dict[str, RealStack]", env: str) -> None:
    assert real[env].findings() == []


@pytest.mark.parametrize("env", ["pr7", "pr8"])
def test_an_ephemeral_stack_has_none_either(real: "dict[str, RealStack]", env: str) -> None:
    assert real[env].findings() == []


def test_every_check_but_those_of_what_is_not_there_judges_something(real: "dict[str, RealStack]") -> None:
    stack = real["demo"]
    manifest = stack.manifest()
    silent = {
        id_ for id_ in GUARDS if not any(verdict.kind is Kind.PASS for verdict in stack.ask(id_, manifest))
    }
    assert silent == set()


@pytest.mark.parametrize("id_", sorted(GUARDS))
def test_what_a_check_guards_cannot_be_taken_from_the_real_stack(
    real: "dict[str, RealStack]", id_: str
) -> None:
    stack = real["demo"]
    body = stack.copy()
    if id_ == "PI-API-004":
        # What lets ANY call the function lets each method: without it the others are needed.
        for type_ in ("aws_api_gateway_integration", "aws_lambda_permission"):
            blocks = body["resource"][type_]
            body["resource"][type_] = {name: one for name, one in blocks.items() if "_other" not in name}
    missed = []
    seen = 0
    for guard in GUARDS[id_]:
        for way in [*places(body, guard)]:
            holder, last = at(body, way[:-1]), way[-1]
            kept = holder[last]
            if kept in (None, {}, []):  # it says nothing that could be taken away
                continue
            for blank in (None, ""):
                seen += 1
                holder[last] = blank
                kinds = {one.kind for one in stack.ask(id_, stack.manifest(body))}
                if not kinds & {Kind.FAIL, Kind.UNKNOWN, *ONLY_WARNED.get(id_, ())}:
                    missed.append((".".join(map(str, way)), blank))
            holder[last] = kept
    assert missed == []
    assert seen
