"""Who the workers of a load are, and how an order travels to them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.core.errors import UsageProblem
from payinfra.core.https_address import HttpsAddress
from payinfra.drill.load.answers import judge_answer
from payinfra.drill.load.payment_log import NAME, read, worker_log
from payinfra.drill.load.worker_master import address_of, plan_of
from payinfra.drill.load.worker_order import TOKEN_VARIABLE, ClientsByName, LoadOrder
from payinfra.drill.model import DrillRequest, LoadEngine, Result

LOCUST = LoadEngine.LOCUST


@pytest.mark.parametrize("text", ["127.0.0.1:5557", "localhost:5557", "[::1]:5557"])
def test_loopback_is_listened_on(text: str) -> None:
    assert address_of(text)[1] == 5557


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.0.0.0:5557", "nothing encrypts"),
        ("drill.example.com:5557", "nothing encrypts"),
        (":5557", "is no address"),
        ("127.0.0.1", "is no address"),
        ("127.0.0.1:70000", "is no address"),
    ],
)
def test_nothing_else_is(text: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        address_of(text)


def test_workers_from_elsewhere_need_a_token_that_nobody_guesses() -> None:
    request = DrillRequest(load=LOCUST, listen="127.0.0.1:5557", workers=4)
    for environ in ({}, {TOKEN_VARIABLE: "too-short"}):
        with pytest.raises(UsageProblem, match=TOKEN_VARIABLE):
            plan_of(request, environ)
    plan = plan_of(request, {TOKEN_VARIABLE: "long-enough-to-be-one"})
    assert (plan.count, plan.listen, plan.token) == (4, "127.0.0.1:5557", "long-enough-to-be-one")
    assert "long-enough" not in repr(plan)


def test_workers_of_this_machine_get_a_token_of_their_own() -> None:
    request = DrillRequest(load=LOCUST)
    assert plan_of(request, {}).token != plan_of(request, {}).token


def test_a_locustfile_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="is no file"):
        plan_of(DrillRequest(load=LOCUST, locustfile=tmp_path / "none.py"), {})


def test_an_order_by_name_arrives_as_it_was_sent() -> None:
    clients = ClientsByName({"a": "b"}, None, "", "", "10.0.0.0", (("192.0.2.1", 53),), "pay", "", 7)
    clients = replace(
        clients, https={"us-east-1": HttpsAddress("127.0.0.1", "127.0.0.1:1")}, authority="/a.pem"
    )
    order = LoadOrder("x1", "dev", 50.0, 5.0, 0.2, 2.0, 2.0, 10, 60.0, "s3cret", clients, 1, 3)
    assert LoadOrder.from_json(json.loads(json.dumps(order.to_json()))) == order
    assert "s3cret" not in repr(order).replace("api_key", "")


def test_the_logs_of_workers_are_read_with_the_drills(tmp_path: Path) -> None:
    def line(key: str) -> str:
        return (
            json.dumps({"entry": "payment", "key": key, "payment_id": key, "body": "{}", "at_s": 1.0}) + "\n"
        )

    (tmp_path / NAME).write_text(line("a"))
    worker_log(tmp_path, 2).write_text(line("c"))
    worker_log(tmp_path, 1).write_text(line("b") + line("cut short")[:20])
    assert [one.key for one in read(tmp_path / NAME).payments] == ["a", "b", "c"]
    assert [one.key for one in read(worker_log(tmp_path, 2)).payments] == ["c"]


@pytest.mark.parametrize(
    ("status", "headers", "body", "result", "pause_s"),
    [
        (201, {}, b'{"payment_id": "p"}', Result.ACKNOWLEDGED, 0.0),
        (200, {"Idempotent-Replayed": "true"}, b'{"payment_id": "p"}', Result.REPLAYED, 0.0),
        (200, {}, b"", Result.FAILED, 0.0),
        (200, {}, b"[" * 100_000, Result.FAILED, 0.0),
        (409, {"Retry-After": "3"}, b"", Result.FAILED, 3.0),
        (409, {}, b"", Result.REFUSED, 0.0),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"", Result.FAILED, 0.0),
        (403, {}, b"", Result.REFUSED, 0.0),
        (503, {}, b"", Result.FAILED, 0.0),
    ],
)
def test_what_an_answer_means(
    status: int, headers: dict[str, str], body: bytes, result: Result, pause_s: float
) -> None:
    answer = judge_answer(status, headers.get, body)
    assert (answer.result, answer.pause_s, answer.payment_id) == (
        result,
        pause_s,
        "p" if result.good else "",
    )
