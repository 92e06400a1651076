"""Verifying with the real surroundings: what is chosen, and that nothing is hidden where nothing answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from payinfra.checks.probes.outage import ANSWERS
from payinfra.checks.probes.results import ProbeResult, VerifyRequest
from payinfra.checks.probes.verify import verify
from payinfra.checks.verdicts import Kind, Severity
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.errors import ExitCode, UsageProblem
from tests.unit.checks.probes.conftest import EAST, WEST, outputs

NOWHERE = "http://127.0.0.1:1"
NOTHING = Endpoints({EAST: NOWHERE, WEST: NOWHERE}, NOWHERE, "127.0.0.1:1")


class Refusal(BaseHTTPRequestHandler):
    """Refuses whatever it is asked."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def refusing() -> Iterator[str]:
    """A region that answers, and refuses everything."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusal)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_is_chosen_runs_and_what_is_skipped_is_named() -> None:
    told: list[ProbeResult] = []
    request = VerifyRequest(only=("LIVE-SNS-*",), skip=("LIVE-SNS-001", "LIVE-SNS-003"), tell=told.append)
    with refusing() as url:
        outcome = verify(outputs(), Aws(Endpoints({EAST: url, WEST: url}, NOWHERE, "127.0.0.1:1")), request)
    assert {result.rule.id for result in told} == {"LIVE-SNS-002"}
    assert (outcome.summary.checks, outcome.summary.ignored) == (1, ("LIVE-SNS-001", "LIVE-SNS-003"))


def test_where_nothing_answers_nothing_passes() -> None:
    request = VerifyRequest(only=("LIVE-KMS-001", "LIVE-API-002", "LIVE-R53-004"), deadline_s=0.3)
    outcome = verify(outputs(), Aws(NOTHING), request)
    assert [(one.id, one.address) for one in outcome.findings] == [(ANSWERS.id, EAST), (ANSWERS.id, WEST)]
    assert len(outcome.findings[0].stopped) == 5
    assert outcome.summary.counts[Kind.ERROR] == 2
    assert outcome.summary.counts[Kind.PASS] == 0
    assert outcome.exit_code(Severity.CRITICAL) is ExitCode.GATE_FAILED


def test_a_probe_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageProblem, match="There is no probe 'LIVE-KMS-009'"):
        verify(outputs(), Aws(NOTHING), VerifyRequest(only=("LIVE-KMS-009",)))
