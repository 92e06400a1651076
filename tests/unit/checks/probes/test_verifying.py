"""Verifying with the real surroundings: what is chosen, and that nothing is hidden where nothing answers."""

import pytest

from payinfra.checks.probes.results import ProbeResult, VerifyRequest
from payinfra.checks.probes.verify import verify
from payinfra.checks.verdicts import Kind
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.errors import UsageProblem
from tests.unit.checks.probes.conftest import EAST, WEST, outputs

NOWHERE = "http://127.0.0.1:1"
NOTHING = Endpoints({EAST: NOWHERE, WEST: NOWHERE}, NOWHERE, "127.0.0.1:1")


def test_what_is_chosen_runs_and_what_is_skipped_is_named() -> None:
    told: list[ProbeResult] = []
    request = VerifyRequest(only=("LIVE-SNS-*",), skip=("LIVE-SNS-001",), tell=told.append)
    outcome = verify(outputs(), Aws(NOTHING), request)
    assert {result.rule.id for result in told} == {"LIVE-SNS-002"}
    assert (outcome.summary.checks, outcome.summary.ignored) == (1, ("LIVE-SNS-001",))


def test_where_nothing_answers_nothing_passes() -> None:
    request = VerifyRequest(only=("LIVE-KMS-001", "LIVE-API-002", "LIVE-R53-004"), deadline_s=0.3)
    outcome = verify(outputs(), Aws(NOTHING), request)
    assert outcome.summary.counts[Kind.ERROR] == 5
    assert outcome.summary.counts[Kind.PASS] == 0


def test_a_probe_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageProblem, match="There is no probe 'LIVE-KMS-009'"):
        verify(outputs(), Aws(NOTHING), VerifyRequest(only=("LIVE-KMS-009",)))
