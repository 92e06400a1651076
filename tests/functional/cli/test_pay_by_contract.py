"""`payinfra pay --curl` of an environment with a canary contract of its own: nothing is asked."""

import json
import shlex
from dataclasses import replace

import pytest

from payinfra.core.canary_contract import CanaryContract
from tests.functional.cli.conftest import Project
from tests.support.outputs import flat_outputs
from tests.unit.core.test_outputs import DECLARED

OWN = CanaryContract(
    body='{"merchant_id": "m-1", "of": "{customer}", "at": "{time}", "cents": "{amount}"}',
    headers={"X-Request": "{key}"},
)
PAY = ("pay", "--env", "pr1", "--aws", "--curl", "--key", "order-1", "--timestamp", "5")


@pytest.fixture
def deployed(project: Project) -> Project:
    """A project that knows the outputs of an environment on AWS, and no account."""
    outputs = flat_outputs(
        primary_region="us-east-1", secondary_region="us-west-2", environment_suffix="pr1"
    ) | {"declared": replace(DECLARED, own_canary=OWN).to_json()}
    folder = project.folder / ".payinfra" / "aws" / "pr1"
    folder.mkdir(parents=True)
    (folder / "outputs.json").write_text(json.dumps(outputs))
    return project


def test_the_body_and_the_headers_are_those_of_the_environment(deployed: Project) -> None:
    done = deployed.run(*PAY, "--amount", "77")
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout.splitlines()[1])
    body = {"merchant_id": "m-1", "of": "cust-1", "at": 5, "cents": 77}
    assert json.loads(words[words.index("--data") + 1]) == body
    assert "X-Request: order-1" in words
    assert "Idempotency-Key" not in done.stdout


def test_an_option_that_its_body_has_no_place_for_is_refused(deployed: Project) -> None:
    done = deployed.run(*PAY, "--currency", "EUR")
    assert done.returncode == 2
    assert "The body of pr1's payments has no place for --currency." in done.stderr
    assert "It takes --amount, --customer, --timestamp." in done.stderr
