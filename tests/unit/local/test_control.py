"""The client of the control port against the server's side of it, without a network between them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.local.aws_rules import API_KEYS, RULES, parse_rules
from payinfra.local.control import PREFIX, Control, Sent
from payinfra.local.endpoints import LocalEndpoints, LocalStatus, StateFolder, write_endpoints
from payinfra.local.faults import FaultRegistry, RegionBlackout, ReplicationDelay, ReplicationPause
from payinfra.local.server.asgi import HttpRequest
from payinfra.local.server.aws_rules import KeptRules, Quota
from payinfra.local.server.control_api import ControlApi
from payinfra.local.server.time_scale import TimeScale

TOKEN = "secret"
URL = "http://127.0.0.1:4560"
ENDPOINTS = LocalEndpoints({"us-east-1": "http://127.0.0.1:4566"}, URL, "127.0.0.1:4553", 7)


@dataclass
class Side:
    """The server's side, and what it was told."""

    board: FaultRegistry = field(default_factory=FaultRegistry)
    scale: TimeScale = field(default_factory=TimeScale)
    rules: KeptRules = field(default_factory=KeptRules)
    told: list[str] = field(default_factory=list)

    def api(self) -> ControlApi:
        async def add_region(region: str) -> None:
            if region == "taken":
                raise EnvironmentUnusable("The port is taken.", "Free it.")
            self.told.append(region)

        async def serve_https() -> None:
            self.told.append("https")

        return ControlApi(
            token=TOKEN,
            board=self.board,
            time_scale=self.scale,
            rules=self.rules,
            endpoints=lambda: ENDPOINTS,
            pending=lambda: 3,
            add_region=add_region,
            serve_https=serve_https,
            shut_down=lambda: self.told.append("shutdown"),
            started="2026-01-02T03:04:05+00:00",
        )

    def client(self, token: str = TOKEN) -> Control:
        api = self.api()

        def carry(sent: Sent, timeout: float) -> tuple[int, bytes]:
            assert timeout == 5.0
            assert sent.url.startswith(URL + PREFIX)
            path = sent.url.removeprefix(URL)
            headers = tuple((key.lower(), value) for key, value in sent.headers.items())
            got = asyncio.run(api(HttpRequest(sent.method, path, "", headers, sent.body or b"")))
            return got.status, got.body

        return Control(URL, token, transport=carry)


@pytest.fixture
def side() -> Side:
    return Side()


def test_faults_are_injected_listed_and_cleared(side: Side) -> None:
    control = side.client()
    dark = control.inject(RegionBlackout("us-east-1"))
    slow = control.inject(ReplicationDelay(2.0, 1.0))
    paused = control.inject(ReplicationPause())
    assert control.list() == (dark, slow, paused) == side.board.list()
    assert control.clear(slow.fault_id) == (slow,)
    assert control.clear(slow.fault_id) == ()
    assert control.clear() == (dark, paused)
    assert control.list() == ()


def test_a_region_that_is_not_served_cannot_be_blacked_out(side: Side) -> None:
    with pytest.raises(UsageProblem, match="eu-west-1") as told:
        side.client().inject(RegionBlackout("eu-west-1"))
    assert "us-east-1" in told.value.hint
    assert side.board.list() == ()


def test_status_says_all(side: Side) -> None:
    active = side.client().inject(ReplicationPause())
    side.client().set_time_scale(20)
    started = "2026-01-02T03:04:05+00:00"
    assert side.client().status() == LocalStatus(ENDPOINTS, (active,), 20.0, 3, started)
    side.client().hold_time_scale("a/b c", 10)
    assert side.client().status() == LocalStatus(ENDPOINTS, (active,), 10.0, 3, started, {"a/b c": 10.0})
    side.client().release_time_scale("a/b c")
    assert side.client().status().time_scale == 20.0


def test_a_server_that_knows_no_holds_has_none(side: Side) -> None:
    whole = side.client()

    def carry(sent: Sent, timeout: float) -> tuple[int, bytes]:
        status, body = whole.transport(sent, timeout)
        said = json.loads(body)
        del said["time_scale_holds"]
        return status, json.dumps(said).encode()

    assert replace(whole, transport=carry).status().time_scale_holds == {}


def test_two_that_hold_the_time_scale_count_as_two(side: Side) -> None:
    first, second = side.client(), side.client()
    first.hold_time_scale("one", 20)
    second.hold_time_scale("other", 20)
    with pytest.raises(UsageProblem, match="makes time run 20 times as fast as real"):
        second.hold_time_scale("third", 10)
    first.release_time_scale("one")
    first.release_time_scale("one")
    assert side.scale() == 20.0
    second.release_time_scale("other")
    assert side.scale() == 1.0


@pytest.mark.parametrize("scale", [0, -1, 1001, float("nan")])
def test_a_time_scale_that_stops_or_turns_time_is_a_usage_problem(side: Side, scale: float) -> None:
    with pytest.raises(UsageProblem):
        side.client().set_time_scale(scale)
    assert side.scale() == 1.0


@pytest.mark.parametrize("scale", [None, True, "2"])
def test_a_time_scale_is_a_number(scale: object) -> None:
    with pytest.raises(UsageProblem):
        TimeScale().set(scale)


def test_a_region_is_added_and_the_end_is_asked_for(side: Side) -> None:
    side.client().add_region("eu-west-1")
    side.client().serve_https()
    side.client().shut_down()
    assert side.told == ["eu-west-1", "https", "shutdown"]


def test_a_refusal_that_is_no_misuse_says_what_to_do(side: Side) -> None:
    with pytest.raises(EnvironmentUnusable, match="The port is taken") as told:
        side.client().add_region("taken")
    assert told.value.hint == "Free it."


@pytest.mark.parametrize("token", ["", "secreT", "geheim\u00e4"])
def test_without_the_token_nothing_is_done(side: Side, token: str) -> None:
    with pytest.raises(EnvironmentUnusable, match="token"):
        side.client(token).inject(ReplicationPause())
    assert side.board.list() == ()


@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
def test_what_is_no_fault_is_refused(side: Side, body: bytes) -> None:
    headers = (("x-payinfra-token", "secret"),)
    got = asyncio.run(side.api()(HttpRequest("POST", "/_payinfra/faults", "", headers, body)))
    assert got.status == 400


def test_an_unknown_call_is_refused(side: Side) -> None:
    headers = (("x-payinfra-token", "secret"),)
    got = asyncio.run(side.api()(HttpRequest("GET", "/_payinfra/dance", "", headers)))
    assert got.status == 409
    assert json.loads(got.body)["hint"]


def answering(status: int, body: bytes) -> Callable[[Sent, float], tuple[int, bytes]]:
    return lambda _sent, _timeout: (status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"not json"), (200, b"{}"), (500, b"not json"), (500, b"{}"), (200, b'{"faults": [{"id": 1}]}')],
)
def test_an_answer_from_something_else_is_no_status(status: int, body: bytes) -> None:
    with pytest.raises(EnvironmentUnusable):
        Control(URL, "t", transport=answering(status, body)).status()


def test_an_answer_from_something_else_is_no_fault() -> None:
    with pytest.raises(EnvironmentUnusable, match="something else"):
        Control(URL, "t", transport=answering(200, b"{}")).inject(ReplicationPause())


def test_nobody_at_the_port_is_said_so() -> None:
    def gone(_sent: Sent, _timeout: float) -> tuple[int, bytes]:
        raise ConnectionRefusedError

    with pytest.raises(EnvironmentUnusable, match="does not answer") as told:
        Control(URL, "t", transport=gone).list()
    assert "payinfra local up" in told.value.hint


def test_the_control_of_a_folder_needs_a_server_that_said_where_it_is(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with pytest.raises(EnvironmentUnusable, match="not running"):
        Control.of(tmp_path)
    write_endpoints(folder, ENDPOINTS)
    with pytest.raises(EnvironmentUnusable, match="not running"):
        Control.of(tmp_path)
    folder.token.write_text("secret\n")
    assert (Control.of(tmp_path).url, Control.of(tmp_path).token) == (URL, "secret")


def test_rules_hold_until_they_are_reset(side: Side) -> None:
    client = side.client()
    assert client.rules() == {rule.name: rule.usual for rule in RULES}
    assert client.set_rules({"api-key-delay": 40})["api-key-delay"] == 40.0
    assert client.set_rules({"account-concurrency": 10})["api-key-delay"] == 40.0
    assert side.rules.value(API_KEYS) == 40.0
    assert client.reset_rules() == {rule.name: rule.usual for rule in RULES}
    assert side.rules.value(API_KEYS) == 0.0


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"no-such": 1}, "no rule 'no-such'"),
        ({"account-concurrency": 0}, "account-concurrency cannot be 0"),
        ({"api-key-delay": -1}, "api-key-delay cannot be -1"),
        ({"api-key-delay": float("nan")}, "api-key-delay cannot be"),
    ],
)
def test_a_rule_that_is_none_or_has_no_usable_value_is_a_usage_problem(
    side: Side, wanted: dict[str, float], said: str
) -> None:
    with pytest.raises(UsageProblem, match=said):
        side.client().set_rules({"key-tag-delay": 5, **wanted})
    assert side.rules.values() == {rule.name: rule.usual for rule in RULES}


def test_a_server_that_answers_something_else_than_rules_is_said_so(side: Side) -> None:
    odd = replace(side.client(), transport=lambda _sent, _timeout: (200, b'{"a": "b"}'))
    with pytest.raises(EnvironmentUnusable, match="something else than its rules"):
        odd.rules()


@pytest.mark.parametrize(
    ("word", "said"), [("api-key-delay", "sets no rule"), ("api-key-delay=soon", "cannot be soon")]
)
def test_words_that_set_no_rule_are_a_usage_problem(word: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        parse_rules([word])


def test_words_set_rules() -> None:
    assert parse_rules(["api-key-delay=40", "account-concurrency=10"]) == {
        "api-key-delay": 40.0,
        "account-concurrency": 10.0,
    }


def test_a_quota_has_a_burst_and_fills_again() -> None:
    now = [100.0]
    quota = Quota(4, 1.0, lambda: now[0])
    assert [quota.take("a") for _ in range(5)] == [True, True, True, True, False]
    assert quota.take("b")
    now[0] += 0.5
    assert not quota.take("a")
    now[0] += 0.5
    assert [quota.take("a") for _ in range(2)] == [True, False]
    now[0] += 60
    assert [quota.take("a") for _ in range(5)] == [True, True, True, True, False]
