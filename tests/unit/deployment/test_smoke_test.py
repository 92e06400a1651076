"""A payment through each region, read in the other: what passes, and what is told when it does not."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.clients.payments_api import payment_id_of
from payinfra.core.errors import GateFailed
from payinfra.core.outputs import Outputs
from payinfra.deployment.smoke_test import cross_region_payments
from tests.support.outputs import flat_outputs

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Region:
    """An SSM that holds one secret, a table that forgets what it is told to, or refuses, and a log."""

    forgotten: list[str] = field(default_factory=list)
    refuses: bool = False
    logged: tuple[str, ...] = ()

    def filter_log_events(self, **_request: object) -> dict[str, object]:
        if self.refuses:
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "FilterLogEvents"
            )
        return {"events": [{"message": message} for message in self.logged]}

    def get_parameter(self, **_request: object) -> dict[str, dict[str, str]]:
        return {"Parameter": {"Value": "the-secret-key"}}

    def query(self, *, ExpressionAttributeValues: dict[str, object], **_more: object) -> dict[str, object]:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")
        id_ = ExpressionAttributeValues[":id"]
        return {"Items": [{"payment_id": id_, "timestamp": {"N": when}} for when in ("0", "17")]}

    def delete_item(self, *, Key: dict[str, dict[str, str]], **_more: object) -> None:
        self.forgotten.append(f"{Key['payment_id']['S']} {Key['timestamp']['N']}")


@dataclass(frozen=True)
class FakeAws(Aws):
    regions: dict[str, Region] = field(default_factory=lambda: {"us-east-1": Region(), "us-west-2": Region()})

    def client(self, service: str, region: str) -> Region:
        assert service in ("ssm", "dynamodb", "logs")
        return self.regions[region]


@pytest.fixture
def outputs() -> Outputs:
    return Outputs.from_flat(
        flat_outputs(
            primary_region="us-east-1",
            secondary_region="us-west-2",
            api_endpoint="http://east/prod/payments",
            secondary_api_endpoint="http://west/prod/payments",
        )
    )


@dataclass
class PayingRegions:
    """Two regions that share what was paid, once `late` reads have been refused."""

    late: int = 0
    refuse: bool = False
    forge: bool = False
    busy: int = 0
    paid: dict[str, dict[str, object]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.refuse:
            return httpx.Response(403, json={"title": "Forbidden"})
        if self.busy:
            self.busy -= 1
            return httpx.Response(503, json={"title": "The service cannot answer right now."})
        if request.method == "POST":
            payment_id = f"pay-{len(self.paid)}"
            self.paid[payment_id] = json.loads(request.content) | {"payment_id": payment_id}
            return httpx.Response(201, json=self.paid[payment_id])
        if self.late:
            self.late -= 1
            return httpx.Response(404, json={})
        found = self.paid[request.url.path.rsplit("/", 1)[1]]
        return httpx.Response(200, json=found | {"amount": 2} if self.forge else found)


def prove(
    world: PayingRegions,
    outputs: Outputs,
    within_s: float = 30.0,
    aws: FakeAws | None = None,
    key_known_within_s: float = 0.0,
    sleep: Callable[[float], None] = lambda _seconds: None,
) -> tuple[str, ...]:
    http = httpx.Client(transport=httpx.MockTransport(world.answer))
    proofs = cross_region_payments(
        outputs,
        aws or FakeAws(),
        http=http,
        within_s=within_s,
        key_known_within_s=key_known_within_s,
        sleep=sleep,
        now=lambda: 1_700_000_000.0,
    )
    return tuple(f"{proof.written_in}>{proof.read_in}:{proof.payment_id}" for proof in proofs)


def test_each_region_writes_and_the_other_reads(outputs: Outputs) -> None:
    world = PayingRegions(late=3)
    assert prove(world, outputs) == ("us-east-1>us-west-2:pay-0", "us-west-2>us-east-1:pay-1")
    assert [request.url.host for request in world.requests] == [
        "east",
        "west",
        "west",
        "west",
        "west",
        "west",
        "east",
    ]
    assert all(request.headers["x-api-key"] == "the-secret-key" for request in world.requests)
    assert world.paid["pay-0"]["timestamp"] == 1_700_000_000_000
    keys = {request.headers["Idempotency-Key"] for request in world.requests if request.method == "POST"}
    assert len(keys) == 2


def test_what_was_sent_is_deleted_with_its_claim_where_it_was_sent(outputs: Outputs) -> None:
    aws, world = FakeAws(), PayingRegions()
    prove(world, outputs, aws=aws)
    assert aws.regions["us-east-1"].forgotten == ["pay-0 0", "pay-0 17"]
    assert aws.regions["us-west-2"].forgotten == ["pay-1 0", "pay-1 17"]
    assert {paid["customer_id"] for paid in world.paid.values()} == {"payinfra-canary-p-environment_suffix"}


def test_it_is_deleted_where_it_proved_nothing_too(outputs: Outputs) -> None:
    aws = FakeAws()
    with pytest.raises(GateFailed):
        prove(PayingRegions(late=1_000), outputs, within_s=0.0, aws=aws)
    assert aws.regions["us-east-1"].forgotten == ["pay-0 0", "pay-0 17"]


def test_a_payment_whose_answer_was_lost_is_deleted_by_the_id_that_follows_from_its_key(
    outputs: Outputs,
) -> None:
    keys: list[str] = []

    def loses(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        raise httpx.ReadTimeout("lost", request=request)

    aws = FakeAws()
    with pytest.raises(GateFailed, match="lost"):
        cross_region_payments(
            outputs,
            aws,
            http=httpx.Client(transport=httpx.MockTransport(loses)),
            within_s=0.0,
            sleep=lambda _seconds: None,
        )
    (key,) = set(keys)
    assert aws.regions["us-east-1"].forgotten == [f"{payment_id_of(key)} 0", f"{payment_id_of(key)} 17"]


def test_an_answer_that_names_no_payment_fails_the_gate(outputs: Outputs) -> None:
    http = httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(201, text="<html>")))
    with pytest.raises(GateFailed, match="names no payment"):
        cross_region_payments(outputs, FakeAws(), http=http, within_s=0.0, sleep=lambda _seconds: None)


def test_what_may_not_be_deleted_proves_nothing_less(outputs: Outputs) -> None:
    assert (
        len(
            prove(
                PayingRegions(),
                outputs,
                aws=FakeAws(regions={"us-east-1": Region(refuses=True), "us-west-2": Region(refuses=True)}),
            )
        )
        == 2
    )


def test_a_refused_payment_fails_the_gate_and_names_the_log_group(outputs: Outputs) -> None:
    with pytest.raises(GateFailed, match="answered 403") as caught:
        prove(PayingRegions(refuse=True), outputs, within_s=0.0)
    assert "p-lambda_log_group_name" in caught.value.hint
    assert "the-secret-key" not in caught.value.what


def test_a_key_that_the_api_has_not_heard_of_yet_is_waited_for(outputs: Outputs) -> None:
    """Longer than for anything else; what it refuses then is counted from when the key is known."""
    world = PayingRegions(refuse=True)

    def sleep(_seconds: float) -> None:
        world.refuse = len(world.requests) < 5

    assert len(prove(world, outputs, within_s=0.0, key_known_within_s=60.0, sleep=sleep)) == 2
    assert len([one for one in world.requests if one.method == "POST"]) == 7


def test_a_region_that_asks_for_the_same_payment_again_gets_it_for_longer(outputs: Outputs) -> None:
    world = PayingRegions(busy=5)
    http = httpx.Client(transport=httpx.MockTransport(world.answer))
    cross_region_payments(
        outputs, FakeAws(), http=http, within_s=0.0, retried_for_s=60.0, sleep=lambda _seconds: None
    )
    sent = [one.headers["Idempotency-Key"] for one in world.requests if one.method == "POST"]
    assert [sent.count(key) for key in dict.fromkeys(sent)] == [6, 1]


@pytest.mark.parametrize("refuses", [False, True])
def test_one_that_does_so_all_the_time_fails_the_gate_with_what_the_function_logged(
    outputs: Outputs, refuses: bool
) -> None:
    line = json.dumps({"outcome": "unavailable", "dependency": "table", "reason": "ReadTimeoutError"})
    east = Region(refuses=refuses, logged=("START", line, "{}", line, "[1]"))
    aws = FakeAws(regions={"us-east-1": east, "us-west-2": Region()})
    http = httpx.Client(transport=httpx.MockTransport(PayingRegions(busy=1_000).answer))
    with pytest.raises(GateFailed, match="answered 503") as caught:
        cross_region_payments(
            outputs, aws, http=http, within_s=0.0, retried_for_s=0.0, sleep=lambda _seconds: None
        )
    assert ("It says: table ReadTimeoutError (2 times)." in caught.value.hint) is not refuses
    assert "p-lambda_log_group_name" in caught.value.hint


def test_a_region_that_shows_another_payment_fails_the_gate(outputs: Outputs) -> None:
    with pytest.raises(GateFailed, match="differs between us-east-1 and us-west-2"):
        prove(PayingRegions(forge=True), outputs)


def test_a_region_that_does_not_answer_fails_the_gate(outputs: Outputs) -> None:
    def dead(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    http = httpx.Client(transport=httpx.MockTransport(dead))
    with pytest.raises(GateFailed, match="refused"):
        cross_region_payments(outputs, FakeAws(), http=http, within_s=0.0, sleep=lambda _seconds: None)
