"""A payment that an operator sends: what goes over the wire, what is shown of it, and what never is."""

import json
import shlex
import subprocess
from collections.abc import Callable
from io import StringIO

import httpx
import pytest
from rich.console import Console

from payinfra.clients.http import HttpxHttp
from payinfra.clients.payments_api import PaymentRequest
from payinfra.core.canary_contract import CanaryContract
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.outputs import Outputs
from payinfra.payments import sending
from payinfra.report import pay as report
from payinfra.report.formats import Format
from tests.support.outputs import flat_outputs

SECRET = "the-secret-key"
OUTPUTS = Outputs.from_flat(flat_outputs(primary_region="us-east-1", secondary_region="us-west-2"))
REGION = OUTPUTS.primary
BODY = sending.body(
    amount=1,
    currency="EUR",
    customer="it's me",
    method="card",
    timestamp_ms=5,
    description=None,
    metadata={},
)
REQUEST = PaymentRequest("order-17", BODY)

Answer = Callable[[httpx.Request], httpx.Response]


def recorded(request: httpx.Request) -> httpx.Response:
    return httpx.Response(201, json={"payment_id": "pay_1"}, headers={"Payment-Region": "us-east-1"})


def sent(answer: Answer, times: int = 1, request: PaymentRequest = REQUEST) -> sending.SentPayment:
    client = httpx.Client(transport=httpx.MockTransport(answer))
    region = OUTPUTS.primary.__class__(
        **{**vars(REGION), "api_endpoint": "https://api.example/prod/payments"}
    )
    return sending.send(
        "demo", region, request, HttpxHttp(client), api_key=SECRET, times=times, timestamp_ms=5
    )


def shown(payment: sending.SentPayment, fmt: Format = Format.TABLE) -> str:
    console = Console(file=StringIO(), width=40)
    report.sent(console, payment, fmt)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_the_same_request_is_sent_as_often_as_asked_with_its_key() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return recorded(request)

    found = sent(answer, times=3)
    assert [answer.status for answer in found.answers] == [201, 201, 201]
    assert {request.headers["Idempotency-Key"] for request in asked} == {"order-17"}
    assert {request.headers["x-api-key"] for request in asked} == {SECRET}
    assert {request.content for request in asked} == {asked[0].content}
    assert json.loads(asked[0].content) == BODY


def test_what_is_absent_is_not_sent_and_what_is_given_is() -> None:
    assert set(BODY) == {"amount", "currency", "customer_id", "payment_method", "timestamp"}
    more = sending.body(
        amount=1,
        currency="EUR",
        customer="c",
        method="card",
        timestamp_ms=5,
        description="A book",
        metadata={"order": "17"},
    )
    assert (more["description"], more["metadata"]) == ("A book", {"order": "17"})


def test_request_and_answer_are_shown_whole_and_the_api_key_is_not() -> None:
    text = shown(sent(recorded))
    lines = text.splitlines()
    assert lines[0] == "POST https://api.example/prod/payments"
    assert "Idempotency-Key: order-17" in lines
    assert f"x-api-key: the value of parameter {REGION.api_key_parameter} in us-east-1" in lines
    assert "201 Created after" in text
    assert "answered by us-east-1" in text
    assert '"payment_id": "pay_1"' in text
    assert SECRET not in text


def test_a_replay_says_that_it_is_one() -> None:
    def replay(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={}, headers={"Idempotent-Replayed": "true"})

    found = sent(replay)
    assert found.answers[0].replayed
    assert "recorded by an earlier request" in shown(found)
    assert json.loads(shown(found, Format.JSON))["answers"][0]["replayed"] is True


def test_as_json_without_the_api_key() -> None:
    text = shown(sent(recorded), Format.JSON)
    found = json.loads(text)
    assert found["request"]["body"] == BODY
    assert found["request"]["idempotency_key"] == "order-17"
    assert found["answers"][0]["body"] == {"payment_id": "pay_1"}
    assert SECRET not in text


@pytest.mark.parametrize("hostile", ['{"detail": "\\u001b[2J"}', "\x1b[2Jgone", "[bold]x[/bold]"])
def test_what_an_answer_says_moves_no_terminal_and_is_no_markup(hostile: str) -> None:
    text = shown(sent(lambda _request: httpx.Response(502, text=hostile)))
    assert "\x1b" not in text
    assert "502 Bad Gateway" in text
    assert "[bold]x[/bold]" in text or "2J" in text


def test_a_status_without_a_name_is_a_number() -> None:
    assert "299 after" in shown(sent(lambda _request: httpx.Response(299, text="odd")))


@pytest.mark.parametrize(
    ("answer", "taken", "wrong"),
    [
        ({"type": "urn:problem:payments:idempotency-key-reused"}, True, False),
        ({"type": "urn:problem:payments:validation", "errors": [{"field": "/amount"}]}, False, True),
        ({"message": "Forbidden"}, False, False),
    ],
)
def test_why_a_payment_was_not_recorded(answer: dict[str, object], taken: bool, wrong: bool) -> None:
    (found,) = sent(lambda _request: httpx.Response(422, json=answer)).answers
    assert not found.is_recorded
    assert (found.says_key_is_taken, found.says_what_is_wrong) == (taken, wrong)


def test_a_region_that_does_not_answer_says_how_to_send_the_same_payment_through_the_other() -> None:
    def silent(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(EnvironmentUnusable, match="us-east-1 does not answer") as caught:
        sent(silent)
    assert "--key order-17 --timestamp 5" in caught.value.hint


def test_curl_sends_the_same_request_with_the_key_from_a_variable() -> None:
    text = sending.curl("https://api.example/payments?x=$y", REQUEST, "echo from-the-command", 2)
    first, *calls = text.splitlines()
    assert first == "API_KEY=$(echo from-the-command)"
    assert len(calls) == 2
    # What a shell makes of it, with `printf` in the place of curl.
    done = subprocess.run(
        ["sh", "-c", text.replace("curl ", "printf '%s\\n' ", 1)], capture_output=True, text=True, check=False
    )
    words = done.stdout.splitlines()
    assert "https://api.example/payments?x=$y" in words
    assert "x-api-key: from-the-command" in words
    assert "Idempotency-Key: order-17" in words
    assert json.loads(words[words.index("--data") + 1]) == BODY
    assert shlex.split(calls[0])[-1] == json.dumps(BODY)


OWN = CanaryContract(
    body='{"shop": "s-1", "of": "{customer}", "cents": "{amount}", '
    '"when": {"at": "{time_iso}"}, "ms": "{time}"}',
    headers={"X-Request": "{key}", "X-Env": "shop"},
    id_field="id",
    accepted=("202",),
    replayed=("208",),
    refused=("422",),
)


def own(given: tuple[str, ...] = ()) -> PaymentRequest:
    body = sending.own_body(
        OWN,
        key="order-17",
        env="shop",
        amount=1250,
        customer="cust-1",
        timestamp_ms=5,
        metadata={},
        given=given,
    )
    return PaymentRequest("order-17", body, OWN)


def test_a_body_of_ones_own_goes_out_with_its_headers() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(202, json={"id": "p-1"})

    found = sent(answer, request=own())
    when = {"at": "1970-01-01T00:00:00.005+00:00"}
    assert json.loads(asked[0].content) == {
        "shop": "s-1",
        "of": "cust-1",
        "cents": 1250,
        "when": when,
        "ms": 5,
    }
    assert (asked[0].headers["X-Request"], asked[0].headers["X-Env"]) == ("order-17", "shop")
    assert "Idempotency-Key" not in asked[0].headers
    text = shown(found)
    assert "X-Request: order-17\n" in text
    assert "Idempotency-Key" not in text
    assert "The payment's id (id): p-1" in text


@pytest.mark.parametrize(
    ("status", "recorded", "replayed", "refused"),
    [
        (202, True, False, False),
        (208, True, True, False),
        (201, False, False, False),
        (422, False, False, True),
    ],
)
def test_what_an_answer_means_is_the_contracts_to_say(
    status: int, recorded: bool, replayed: bool, refused: bool
) -> None:
    found = sent(lambda _request: httpx.Response(status, json={}), request=own()).answers[0]
    assert (found.is_recorded, found.replayed, found.is_refused) == (recorded, replayed, refused)


def test_an_answer_without_the_id_that_the_contract_names_is_said() -> None:
    text = shown(sent(lambda _request: httpx.Response(202, json={"payment_id": "p-1"}), request=own()))
    assert "The answer has no id, which [canary] calls the payment's id." in text
    assert "[canary]" not in shown(sent(lambda _request: httpx.Response(201, json={})))


def test_an_option_that_the_body_has_no_place_for_is_refused() -> None:
    with pytest.raises(UsageProblem, match=r"no place for --metadata, --currency\.") as caught:
        own(("amount", "metadata", "currency"))
    assert caught.value.hint.endswith("It takes --amount, --customer, --timestamp.")


def test_curl_has_the_headers_of_the_contract() -> None:
    text = sending.curl("https://api.example/payments", own(), "echo key", 1)
    assert "--header 'X-Request: order-17' --header 'X-Env: shop'" in text
    assert "Idempotency-Key" not in text


def test_a_silent_region_says_the_time_of_a_payment_that_calls_it_otherwise() -> None:
    def silent(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(EnvironmentUnusable) as caught:
        sent(silent, request=own())
    assert "--key order-17 --timestamp 5" in caught.value.hint
