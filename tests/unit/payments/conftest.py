"""The function in one or two regions, with AWS answered in this process."""

import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from bench.aws_in_process import BUCKET, PARAMETER, TABLE, Region, Stamps
from handlers.payments.app import Application
from handlers.payments.audit import S3Audit
from handlers.payments.aws import Clients
from handlers.payments.config import Config
from handlers.payments.ledger import DynamoLedger
from handlers.payments.observe import Observer
from handlers.payments.secret import ParameterSecret
from handlers.payments.service import Payments

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

NUMBERS = itertools.count()
NOW_MS = 1_800_000_000_000


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True)
class Reply:
    """An answer of the function, as a client would see it."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> dict[str, object]:
        document = json.loads(self.text)
        assert isinstance(document, dict)
        return document


@dataclass
class Site:
    """The function in one region: several containers can be made of it; `app` is the first."""

    region: Region
    clients: Clients
    clock: Clock
    config: Config
    log: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.observer = Observer(self.config, self.log)
        self.payments = self.container()
        self.app = Application(self.config, self.payments, self.observer)

    def container(self, remembered: int = 4096) -> Payments:
        """The service of a container that has just started."""
        return Payments(
            ledger=DynamoLedger(self.clients.table, self.clients.health, TABLE),
            audit=S3Audit(self.clients.audit, BUCKET, self.config.audit_key_arn, remembered),
            secret=ParameterSecret(self.clients.parameter, PARAMETER, self.clock),
            clock=self.clock,
            tally=self.observer,
        )

    def restart(self, remembered: int = 4096, cors_origins: tuple[str, ...] | None = None) -> None:
        """A new container takes over, perhaps with other origins."""
        if cors_origins is not None:
            self.config = replace(self.config, cors_origins=cors_origins)
        self.payments = self.container(remembered)
        self.app = Application(self.config, self.payments, self.observer)

    def send(self, event: Mapping[str, object]) -> Reply:
        answer = self.app.answer(dict(event), cast("LambdaContext", None))
        several = cast(Mapping[str, list[str]], answer["multiValueHeaders"])
        return Reply(
            status=cast(int, answer["statusCode"]),
            headers={name: values[0] for name, values in several.items()},
            text=cast(str, answer["body"]),
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Reply:
        """A request as the gateway passes it on."""
        return self.send(
            {
                "httpMethod": method,
                "path": path,
                "headers": headers,
                "queryStringParameters": query,
                "body": body,
                "isBase64Encoded": False,
                "requestContext": {"requestId": "request-1"},
            }
        )

    def pay(
        self, key: str = "order-1", body: Mapping[str, object] | str | None = None, **changes: object
    ) -> Reply:
        """POST a payment; `changes` are laid over a valid body."""
        sent = body if isinstance(body, str) else json.dumps({**(body or valid_body()), **changes})
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return self.request("POST", "/payments", headers=headers, body=sent)

    def lines(self) -> list[dict[str, object]]:
        """What was logged, line by line."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


def valid_body() -> dict[str, object]:
    return {
        "amount": 1250,
        "currency": "EUR",
        "customer_id": "customer-7",
        "payment_method": "card",
        "timestamp": NOW_MS,
    }


@pytest.fixture(scope="session")
def regions() -> tuple[tuple[Region, Clients], tuple[Region, Clients]]:
    """Clients are slow to make and keep nothing: made once a run."""
    stamps = Stamps()
    primary, secondary = Region("us-east-1", stamps), Region("us-west-2", stamps)
    return (primary, primary.clients()), (secondary, secondary.clients())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sites(
    regions: tuple[tuple[Region, Clients], tuple[Region, Clients]], clock: Clock
) -> Iterator[tuple[Site, Site]]:
    """The primary and the secondary region, both empty."""
    made = []
    for region, clients in regions:
        region.reset()
        config = Config(
            table=TABLE,
            audit_bucket=BUCKET,
            audit_key_arn="arn:aws:kms:us-east-1:000000000000:key/audit",
            api_key_parameter=PARAMETER,
            environment="test",
            region=region.name,
            # Powertools keeps one logger for each name for the life of the process.
            service=f"payments-{next(NUMBERS)}",
            cors_origins=("https://shop.example", "https://desk.example"),
        )
        made.append(Site(region, clients, clock, config))
    yield made[0], made[1]
    for region, _clients in regions:
        region.reset()


@pytest.fixture
def site(sites: tuple[Site, Site]) -> Site:
    """One region."""
    return sites[0]
