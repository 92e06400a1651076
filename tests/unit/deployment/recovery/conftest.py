"""An AWS of botocore's own clients, whose calls and answers are held against the service's model."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from payinfra.clients.aws import Aws
from payinfra.terraform import Creation

REGION, PROVIDER = "us-east-1", "aws.primary"
TAGS = {"Environment": "a", "Project": "payment-infrastructure", "ManagedBy": "cdktf"}
PAIRS = [{"Key": name, "Value": value} for name, value in TAGS.items()]


@dataclass(frozen=True)
class Stubbed(Aws):
    """Clients that answer what a test has told them, in that order, and nothing else."""

    session: Any = None
    stubs: dict[str, Stubber] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Any:
        assert region == REGION
        return self.stub(service).client

    def stub(self, service: str) -> Stubber:
        if service not in self.stubs:
            client = self.session.client(
                service, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
            )
            self.stubs[service] = Stubber(client)
            self.stubs[service].activate()
        return self.stubs[service]

    def answers(self, service: str, operation: str, answer: Mapping[str, Any], **call: Any) -> None:
        """Expect a call with exactly these parameters, or any where none are given."""
        self.stub(service).add_response(operation, dict(answer), call or None)

    def refuses(self, service: str, operation: str, code: str) -> None:
        """Answer a call with an error."""
        self.stub(service).add_client_error(operation, service_error_code=code)


@pytest.fixture(scope="session")
def session() -> Any:
    return boto3.session.Session()


@pytest.fixture
def aws(session: Any) -> Iterator[Stubbed]:
    made = Stubbed(session=session)
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


@pytest.fixture
def creation() -> Callable[..., Creation]:
    def make(kind: str, **values: Any) -> Creation:
        return Creation(f"{kind}.it", kind, PROVIDER, REGION, {**values, "tags_all": TAGS})

    return make
