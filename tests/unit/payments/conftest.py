"""The function in one or two regions, with AWS answered in this process."""

import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from bench.aws_in_process import BUCKET, FLAG, PARAMETER, TABLE, RegionInProcess, Stamps
from handlers.payments.app import Application
from handlers.payments.audit import S3Audit
from handlers.payments.aws import Clients
from handlers.payments.config import Config
from handlers.payments.evacuation import Evacuation, ParameterFlag
from handlers.payments.ledger import DynamoLedger
from handlers.payments.observe import Observer
from handlers.payments.recording import RecordingLook
from handlers.payments.secret import ParameterSecret
from handlers.payments.service import Payments
from handlers.payments.stream import StreamReader

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

    region: RegionInProcess
    clients: Clients
    clock: Clock
    config: Config
    log: io.StringIO = field(default_factory=io.StringIO)
    fail_back: Callable[[], Evacuation | None] | None = None
    held_back: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        self.observer = Observer(self.config, self.log)
        self.restart()

    def container(self, remembered: int = 4096, audit: S3Audit | None = None) -> Payments:
        """The service of a container that has just started."""
        return Payments(
            region=self.region.name,
            ledger=self.ledger,
            audit=audit or self.audit_log(remembered),
            secret=ParameterSecret(self.clients.parameter, PARAMETER, self.clock),
            clock=self.clock,
            tally=self.observer,
        )

    def restart(
        self,
        remembered: int = 4096,
        cors_origins: tuple[str, ...] | None = None,
        keep_source_ip: bool | None = None,
        spread_statuses: bool | None = None,
    ) -> None:
        """A new container takes over, perhaps with other settings."""
        if cors_origins is not None:
            self.config = replace(self.config, cors_origins=cors_origins)
        if keep_source_ip is not None:
            self.config = replace(self.config, keep_source_ip=keep_source_ip)
        if spread_statuses is not None:
            self.config = replace(self.config, spread_statuses=spread_statuses)
        audit = self.audit_log(remembered)
        self.payments = self.container(remembered, audit)
        self.app = Application(
            self.config,
            self.payments,
            self.reader(remembered),
            self.observer,
            audit=lambda: audit.state,
            ping=RecordingLook(self.payments.ping, self.payments.attempt, self.clock),
            flag=ParameterFlag(self.clients.flag, FLAG, self.config.peer_region, self.clock),
            fail_back=self.fail_back,
            held_back=self.held_back,
        )

    @property
    def ledger(self) -> DynamoLedger:
        return DynamoLedger(self.clients.table, self.clients.health, TABLE, self.config.spread_statuses)

    def audit_log(self, remembered: int = 4096) -> S3Audit:
        """The audit log of a container that has just started."""
        return S3Audit(self.clients.audit, BUCKET, self.config.audit_key_arn, remembered)

    def reader(self, remembered: int = 4096) -> StreamReader:
        """What follows the stream in a container that has just started."""
        return StreamReader(
            self.region.name, self.ledger, self.audit_log(remembered), self.clock, self.observer
        )

    def follow(self) -> dict[str, object]:
        """Lambda hands the function the records of the stream so far, and again later what has failed."""
        records = self.region.stream()
        answer = self.app.watch(records)
        failed = [one["itemIdentifier"] for one in cast("list[dict[str, str]]", answer["batchItemFailures"])]
        if failed:
            batch = cast("list[dict[str, object]]", records["Records"])
            changes = [cast("dict[str, object]", record["dynamodb"]) for record in batch]
            sequences = [change["SequenceNumber"] for change in changes]
            self.region.changes = [*batch[sequences.index(failed[0]) :], *self.region.changes]
        return answer

    def operate(self, **event: object) -> dict[str, object]:
        """What the function answers to whoever invokes it."""
        return self.app.operate(event, "invocation-1")

    def send(self, event: Mapping[str, object]) -> Reply:
        answer = self.app.answer(event)
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
                "requestContext": {
                    "requestId": "request-1",
                    "identity": {"apiKeyId": "key-1", "sourceIp": "203.0.113.7"},
                },
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


def site_in(region: RegionInProcess, clients: Clients, clock: Clock) -> Site:
    """The function in one region."""
    config = Config(
        table=TABLE,
        audit_bucket=BUCKET,
        audit_key_arn="arn:aws:kms:us-east-1:000000000000:key/audit",
        cursor_secret_parameter=PARAMETER,
        evacuated_parameter=FLAG,
        peer_region="us-west-2" if region.name == "us-east-1" else "us-east-1",
        environment="test",
        region=region.name,
        # Powertools keeps one logger for each name for the life of the process.
        service=f"payments-{next(NUMBERS)}",
        cors_origins=("https://shop.example", "https://desk.example"),
    )
    return Site(region, clients, clock, config)


@pytest.fixture(scope="session")
def regions() -> tuple[tuple[RegionInProcess, Clients], tuple[RegionInProcess, Clients]]:
    """Clients are slow to make and keep nothing: made once a run."""
    stamps = Stamps()
    primary, secondary = RegionInProcess("us-east-1", stamps), RegionInProcess("us-west-2", stamps)
    return (primary, primary.clients()), (secondary, secondary.clients())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sites(
    regions: tuple[tuple[RegionInProcess, Clients], tuple[RegionInProcess, Clients]], clock: Clock
) -> Iterator[tuple[Site, Site]]:
    """The primary and the secondary region, both empty."""
    made = []
    for region, clients in regions:
        region.reset()
        made.append(site_in(region, clients, clock))
    yield made[0], made[1]
    for region, _clients in regions:
        region.reset()


@pytest.fixture
def site(sites: tuple[Site, Site]) -> Site:
    """One region."""
    return sites[0]
