"""What a payment looks like: filled in, judged, and refused before anything is deployed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from handlers.payments import core
from payinfra.clients import canary
from payinfra.core.canary_contract import PAYMENTS, CanaryContract, fits, is_among
from payinfra.core.errors import UsageProblem
from payinfra.core.outputs import Declared
from payinfra.core.settings import Settings
from payinfra.deployment.smoke_test import _agree
from payinfra.drill.load.payments import Maker
from payinfra.stacks import synthesize
from tests.unit.core.test_outputs import DECLARED, OUTPUTS

OWN = """
[canary]
payment_id = "{key}"
id_field = "id"
headers = ["X-Request={key}", "X-Shop=s-1"]
accepted = [200, "202-204"]
replayed = [208]
refused = ["422"]
[canary.body]
merchant_id = "m-1"
amount = "{amount}"
when = "{time_iso}"
parts = [{ at = "{time}", of = "{customer} in {env}" }, 3, "{metadata}"]
"""


def settings(tmp_path: Path, toml: str, **flags: object) -> Settings:
    (tmp_path / "payinfra.toml").write_text(toml)
    return Settings.resolve({"env": "shop", **flags}, folder=tmp_path, environ={})


def test_that_of_the_shipped_api_is_the_default(tmp_path: Path) -> None:
    assert settings(tmp_path, "").canary == PAYMENTS
    assert not PAYMENTS.is_own
    assert PAYMENTS.headers_of("k") == {"Idempotency-Key": "k"}
    made = canary.payment("shop", "x", 1_800_000_000_000, {"a": "b"})
    read = core.read_payment(made.key, json.dumps(made.body).encode())
    assert read.payment_id == made.payment_id == PAYMENTS.id_of(made.key)


def test_placeholders_are_filled_in_wherever_they_stand(tmp_path: Path) -> None:
    own = settings(tmp_path, OWN).canary
    assert own.is_own
    body = own.body_of(key="k-1", customer="c", timestamp_ms=1500, env="shop", metadata={"drill": "d"})
    assert body == {
        "merchant_id": "m-1",
        "amount": 1,
        "when": "1970-01-01T00:00:01.500+00:00",
        "parts": [{"at": 1500, "of": "c in shop"}, 3, {"drill": "d"}],
    }
    assert own.headers_of("k-1") == {"X-Request": "k-1", "X-Shop": "s-1"}
    assert own.id_of("k-1") == "k-1"


def test_answers_mean_what_the_contract_says(tmp_path: Path) -> None:
    own = settings(tmp_path, OWN).canary
    assert [status for status in range(100, 600) if own.is_accepted(status)] == [200, 202, 203, 204]
    assert own.is_replayed(208)
    assert own.is_recorded(208)
    assert [status for status in range(400, 500) if own.is_refused(status)] == [422]
    usual = [status for status in range(400, 500) if not PAYMENTS.is_refused(status)]
    assert usual == [408, 425, 429]
    assert is_among(299, ("200-299",))


def test_smoke_test_probes_and_drill_make_the_same_payment(tmp_path: Path) -> None:
    own = settings(tmp_path, OWN).canary
    made = canary.payment("shop", "x", 5, {}, own)
    assert (made.body["merchant_id"], made.payment_id) == ("m-1", "payinfra-canary-x")
    drilled = Maker("shop", "d1", own).make(1, 5, 0.0)
    assert json.loads(drilled.body)["parts"][0] == {"at": 5, "of": "payinfra-drill-shop in shop"}
    assert drilled.payment_id == drilled.key


def test_two_regions_agree_by_what_both_answers_have() -> None:
    own = CanaryContract(id_field="id")
    assert _agree({"id": 1, "links": 2}, {"id": 1}, own)
    assert not _agree({"id": 1, "links": 2}, {"id": 1, "links": 3}, own)
    assert not _agree({"id": 1, "links": 2}, {"id": 1}, PAYMENTS)


def test_it_goes_with_the_outputs() -> None:
    own = CanaryContract(body='{"c": "{customer}", "t": "{time}"}')
    text = Declared.from_json(DECLARED.to_json()).to_json()
    assert "own_canary" not in text
    assert OUTPUTS.canary == PAYMENTS
    told = replace(DECLARED, own_canary=own).to_json()
    assert replace(OUTPUTS, declared_json=told).canary == own
    assert replace(OUTPUTS, declared_json="older").canary == PAYMENTS


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('body = "{"', "body is not JSON"),
        ('body = "[]"', "body must be a JSON object"),
        ('body = \'{"t": "{time}"}\'', "body has no {customer}"),
        ('body = \'{"c": "{customer}"}\'', "body has no {time}"),
        (
            'body = \'{"c": "{customer}", "t": "{tyme}"}\'',
            "body has the placeholder {tyme}; did you mean 'time'?",
        ),
        ('headers = ["X=${kez}"]', "X has the placeholder {kez}"),
        ('headers = ["X"]', "use NAME=VALUE"),
        ('payment_id = "same"', "payment_id needs {key} or {hash}"),
        ("accepted = []", "accepted names no status"),
        ('accepted = ["fine"]', "use statuses such as 201"),
    ],
)
def test_what_cannot_be_is_one_message(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        settings(tmp_path, f"[canary]\n{toml}\n")
    assert said in caught.value.what


SCHEMA = {"type": "object", "required": ["merchant_id"], "properties": {"amount": {"type": "integer"}}}


def test_a_body_that_lacks_a_required_field_is_refused() -> None:
    with pytest.raises(UsageProblem, match=r"does not fit s\.json: the body must contain \['merchant_id'\]"):
        fits(PAYMENTS, SCHEMA, "s.json")
    fits(CanaryContract(body='{"merchant_id": "m", "amount": "{amount}"}'), SCHEMA, "s.json")
    with pytest.raises(UsageProblem, match=r"body\.amount must be integer"):
        fits(CanaryContract(body='{"merchant_id": "m", "amount": "x{amount}"}'), SCHEMA, "s.json")
    with pytest.raises(UsageProblem, match="is no JSON Schema"):
        fits(PAYMENTS, {"type": "nonsense"}, "s.json")


def test_that_is_said_before_anything_is_synthesized(tmp_path: Path) -> None:
    schemas = tmp_path / "handlers" / "payments" / "schemas"
    schemas.mkdir(parents=True)
    (schemas.parent / "handler.py").write_text("PATH = '/health'\ndef handle(event, context): ...\n")
    (schemas / "payment.json").write_text(json.dumps(SCHEMA))
    with pytest.raises(UsageProblem, match=r"must contain \['merchant_id'\]") as caught:
        synthesize(settings(tmp_path, ""), out=tmp_path / "out", handlers=tmp_path / "handlers")
    assert "[canary]" in caught.value.hint
    assert not (tmp_path / "out").exists()
    (schemas / "payment.json").write_text("{")
    with pytest.raises(UsageProblem, match="is not JSON"):
        synthesize(settings(tmp_path, ""), out=tmp_path / "out", handlers=tmp_path / "handlers")
