"""How the function is put together, and how long it may take."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, cast

import pytest

from handlers.payments import aws, handler, validation
from handlers.payments.config import Config
from handlers.payments.core import Found

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tests.unit.payments.conftest import Site

API_LIMIT_S = 29
VARIABLES = {
    "TABLE_NAME": "t",
    "AUDIT_BUCKET": "b",
    "AUDIT_KEY_ARN": "k",
    "CURSOR_SECRET_PARAMETER": "p",
    "EVACUATED_PARAMETER": "f",
    "PEER_REGION": "eu-north-1",
    "ENVIRONMENT": "e",
    "AWS_REGION": "eu-west-1",
}


def test_the_settings_come_from_the_environment() -> None:
    more = {
        "POWERTOOLS_SERVICE_NAME": "s",
        "POWERTOOLS_METRICS_NAMESPACE": "n",
        "LOG_LEVEL": "DEBUG",
        "CORS_ORIGINS": "https://a.example, https://b.example,",
        "KEEP_SOURCE_IP": "true",
        "SPREAD_STATUSES": "false",
        "PRIMARY_REGION": "eu-west-1",
        "FAILOVER_DOMAIN": "pay.example",
        "FAIL_BACK": "manual",
        "FAILOVER_NAME": "failover.example",
        "FAILOVER_ZONE": "example",
        "NAME_SERVERS": "ns-1.example,ns-2.example,",
        "REGION_ENDPOINTS": "http://127.0.0.1:1,http://127.0.0.1:2",
    }
    assert Config.read({**VARIABLES, **more}) == Config(
        *("t", "b", "k", "p", "f", "eu-north-1", "e", "eu-west-1", "s", "n", "DEBUG"),
        ("https://a.example", "https://b.example"),
        keep_source_ip=True,
        spread_statuses=False,
        primary_region="eu-west-1",
        failover_domain="pay.example",
        fail_back="manual",
        failover_name="failover.example",
        failover_zone="example",
        name_servers=("ns-1.example", "ns-2.example"),
        peer_endpoint="http://127.0.0.1:2",
    )
    assert Config.read(VARIABLES) == Config(
        *("t", "b", "k", "p", "f", "eu-north-1", "e", "eu-west-1", "payments", "Payments", "INFO"), ()
    )


@pytest.mark.parametrize("name", VARIABLES)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        Config.read({one: value for one, value in VARIABLES.items() if one != name})


def test_the_slowest_payment_fits_in_the_gateways_time() -> None:
    """Look-up, transaction, second look-up, restored payment, third look-up, audit object. A list asks the
    partitions of an index side by side, twice at most."""
    assert 5 * aws.TABLE.longest + aws.AUDIT.longest < API_LIMIT_S
    assert 2 * aws.PARAMETER.longest + 2 * aws.TABLE.longest < API_LIMIT_S


def test_health_checkers_hear_of_an_evacuation_while_they_wait() -> None:
    """For 2 s, until the status line (Route 53 developer guide, "How Amazon Route 53 determines ...")."""
    assert aws.FLAG.longest < 1.5


def test_health_answers_in_less_than_a_second() -> None:
    assert aws.HEALTH.longest < aws.HEALTH_PROMISE_S < 1


def test_a_payment_keeps_its_promise_while_one_service_is_silent() -> None:
    assert aws.TABLE.longest < aws.POST_PROMISE_S
    assert aws.AUDIT.longest < aws.POST_PROMISE_S


def test_patience_counts_attempts_and_waits() -> None:
    assert aws.Patience(connect=1, read=2, attempts=1).longest == 3
    assert aws.Patience(connect=1, read=2, attempts=3).longest == 9 + 1 + 2


def test_the_function_answers_with_what_its_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in {**VARIABLES, **variables}.items():
        monkeypatch.setenv(name, value)
    handler.application.cache_clear()
    answer = handler.handle({"httpMethod": "GET", "path": "/nowhere"}, cast("LambdaContext", None))
    assert answer["statusCode"] == 404
    assert handler.handle({"Records": [{"eventSource": "aws:dynamodb"}]}, cast("LambdaContext", None)) == {
        "batchItemFailures": []
    }
    assert handler.application() is handler.application()
    handler.application.cache_clear()


def test_the_clients_are_patient_as_said() -> None:
    clients = aws.connect("eu-west-1")
    for client, patience in (
        (clients.table, aws.TABLE),
        (clients.health, aws.HEALTH),
        (clients.audit, aws.AUDIT),
        (clients.parameter, aws.PARAMETER),
        (clients.flag, aws.FLAG),
    ):
        asked = attrgetter("connect_timeout", "read_timeout", "retries")(client.meta.config)
        assert client.meta.region_name == "eu-west-1"
        retries = {"total_max_attempts": patience.attempts, "mode": "standard"}
        assert asked == (patience.connect, patience.read, retries)


def test_a_schema_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        validation.load("nothing")


def test_nothing_found_is_no_conflict_and_no_payment() -> None:
    assert Found().payment() is None
    assert not Found().in_conflict


def test_now_is_in_milliseconds() -> None:
    assert 1_700_000_000_000 < handler.now_ms() < 10_000_000_000_000


@pytest.mark.parametrize("primary", ["eu-west-1", "eu-north-1"])
def test_manual_fail_back_is_put_together(primary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The primary reads the other region's flag there; the secondary watches the name."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    more = {"FAIL_BACK": "manual", "FAILOVER_NAME": "f.example", "PRIMARY_REGION": primary}
    for name, value in {**VARIABLES, **more}.items():
        monkeypatch.setenv(name, value)
    handler.application.cache_clear()
    app = handler.application()
    handler.application.cache_clear()
    is_primary = primary == "eu-west-1"
    assert ((app._held_back is not None), (app._fail_back is not None)) == (is_primary, not is_primary)
    clients = aws.connect("eu-west-1", "eu-north-1", "http://127.0.0.1:2")
    assert clients.peer_flag is not None
    assert (clients.peer_flag.meta.region_name, clients.peer_flag.meta.endpoint_url) == (
        "eu-north-1",
        "http://127.0.0.1:2",
    )


def test_the_parts_meet(site: Site) -> None:
    app = handler.compose(site.config, site.clients, site.observer)
    assert app.answer({"httpMethod": "GET", "path": "/health"})["statusCode"] == 200
