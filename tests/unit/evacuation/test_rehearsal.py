"""The return at the end of a drill: what kept it from ending well, in sentences."""

from dataclasses import replace

import pytest

from payinfra.clients.aws import Endpoints
from payinfra.core.naming import Names
from payinfra.evacuation.reconciliation import OpenPayment, OutageReconciliation
from payinfra.evacuation.rehearsal import after_drill, problems
from payinfra.evacuation.returning import Returned
from tests.support.answering_clients import AnsweringAws
from tests.unit.evacuation.conftest import EAST, WEST, TwoRegions, flag_of

OPEN = OutageReconciliation(1, (OpenPayment("pay_1", "only us-west-2 has it", "Wait."),), 0)
BACK = Returned("demo", EAST, WEST, flag_of(EAST), replace(OPEN, open=()), True, 0.5, (), 4.0, True)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (BACK, ()),
        (replace(BACK, is_back=False), ("the names were not back 4 s after the flag was lifted",)),
        (replace(BACK, lifted=False, reconciled=OPEN), ("payment pay_1: only us-west-2 has it",)),
        (replace(BACK, lifted=False, reconciled=None), ()),
    ],
)
def test_what_keeps_clients_out_is_said(done: Returned, said: tuple[str, ...]) -> None:
    assert problems(done) == said


def test_a_survivor_that_cannot_be_asked_ends_no_drill_with_an_error(regions: TwoRegions) -> None:
    regions.dark = {WEST}
    aws = AnsweringAws(Endpoints({EAST: "http://127.0.0.1:1", WEST: "http://127.0.0.1:2"}, ""), fake=regions)
    (said,) = after_drill(
        aws, Names("demo"), regions.outputs(), EAST, 1.0, time_scale=1.0, tell=lambda _said: None
    )
    assert said.startswith("Parameter Store in us-west-2 cannot be asked")
    assert {call.rpartition(" ")[2] for call in regions.calls} == {WEST}
