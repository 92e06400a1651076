"""The function keeps what docs/openapi.json promises, for whatever schemathesis makes of it."""

import ast
import io
import json
import runpy
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import ignored_auth, positive_data_acceptance

from bench.aws_in_process import BUCKET, FLAG, PARAMETER, TABLE, RegionInProcess
from handlers import openapi
from handlers.payments import problems
from handlers.payments.app import Application
from handlers.payments.config import Config
from handlers.payments.handler import compose, now_ms
from handlers.payments.observe import Observer
from payinfra.stacks import rest_api_contract as contract

# The gateway checks API keys. A valid timestamp may be too far from now, a valid text a card number.
NOT_CHECKED = [ignored_auth, positive_data_acceptance]
EXAMPLES = settings(
    max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def test_the_document_is_up_to_date() -> None:
    assert openapi.main(["--check"]) == 0, "run: python -m handlers.openapi"


def test_the_module_checks_as_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["openapi", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(openapi.__file__, run_name="__main__")
    assert ended.value.code == 0


def test_a_stale_or_missing_document_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "openapi.json"
    assert openapi.main(["--check"], out) == 1
    openapi.main([], out)
    assert openapi.main(["--check"], out) == 0
    out.write_text(out.read_text() + " ")
    assert openapi.main(["--check"], out) == 1


def kinds_in_the_code() -> set[str]:
    """The kind of every problem that the function makes: the second argument of each `Problem(…)`."""
    tree = ast.parse(Path(problems.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Problem"]
    return {cast(ast.Constant, call.args[1]).value for call in made}  # type: ignore[misc]  # a text, by eye


INTERNAL = {"no-transition"}
"""Kinds that only operations meet, which are not part of the API."""


def test_every_kind_of_problem_is_in_the_document() -> None:
    of_the_gateway = {contract.kind(answer) for answer in contract.ANSWERS}
    assert set(openapi.KINDS) == (kinds_in_the_code() - INTERNAL) | of_the_gateway


def test_the_gateways_answers_come_with_the_statuses_of_the_document() -> None:
    for answer in contract.ANSWERS:
        kind = openapi.KINDS[contract.kind(answer)]
        if answer.status:
            assert kind.statuses == (answer.status,)


def test_the_type_of_every_problem_leads_to_an_anchor_of_the_page() -> None:
    page = (openapi.DOCUMENT.parent / openapi.PAGE).read_text(encoding="utf-8")
    headings = [line.removeprefix("### ") for line in page.splitlines() if line.startswith("### ")]
    assert headings == list(openapi.KINDS)


def test_every_example_is_what_the_document_says() -> None:
    document = json.loads(json.dumps(openapi.document()))
    schemas = {"components": document["components"]}
    seen = 0
    for methods in document["paths"].values():
        for operation in methods.values():
            bodies = [*operation["responses"].values(), operation.get("requestBody", {"content": {}})]
            for media in [one for body in bodies for one in body["content"].values()]:
                for example in media["examples"].values():
                    jsonschema.validate(example["value"], {**schemas, **media["schema"]})
                    seen += 1
    assert seen > 50


class Gateway:
    """As much of API Gateway as passes a WSGI request on to the function and its answer back."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.statuses: list[int] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ = {**environ, "PATH_INFO": environ["PATH_INFO"].removeprefix("/prod")}  # the stage
        if environ["PATH_INFO"] == "/openapi.json":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(openapi.document()).encode()]
        if environ["PATH_INFO"].startswith("/payments") and "HTTP_X_API_KEY" not in environ:
            start_response("403 Forbidden", [("Content-Type", "application/problem+json")])
            refusal = {
                "type": "urn:problem:payments:gateway-invalid-api-key",
                "title": "Forbidden",
                "status": 403,
                "detail": "-",
                "request_id": "-",
            }
            return [json.dumps(refusal).encode()]
        answer = self._app.answer(dict(_event(environ)))
        status = cast(int, answer["statusCode"])
        self.statuses.append(status)
        several = cast(dict[str, list[str]], answer["multiValueHeaders"])
        start_response(f"{status} -", [(name, value) for name, values in several.items() for value in values])
        return [cast(str, answer["body"]).encode()]


def _event(environ: WSGIEnvironment) -> Iterator[tuple[str, object]]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = {
        name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = environ["CONTENT_TYPE"]
    yield "httpMethod", environ["REQUEST_METHOD"]
    yield "path", environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    yield "headers", headers
    yield "multiValueQueryStringParameters", parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    yield "body", cast(io.BytesIO, environ["wsgi.input"]).read(length).decode("utf-8", "replace")
    yield "isBase64Encoded", False


def new_gateway() -> Gateway:
    region = RegionInProcess()
    region.flag = '{"region": "us-west-2", "since": "2026-03-01T03:12:45+00:00", "by": "a test"}'
    settings = (TABLE, BUCKET, "key", PARAMETER, FLAG, "us-west-2", "test", region.name)
    config = Config(*settings, service="payments-openapi")
    return Gateway(compose(config, region.clients(), Observer(config, io.StringIO())))


@pytest.mark.parametrize(
    ("method", "path", "mode", "seen"),
    [
        ("POST", "/payments", GenerationMode.POSITIVE, 201),
        ("POST", "/payments", GenerationMode.NEGATIVE, 422),
        ("GET", "/payments", GenerationMode.POSITIVE, 200),
        ("GET", "/payments", GenerationMode.NEGATIVE, 422),
        ("GET", "/payments/{payment_id}", GenerationMode.POSITIVE, 404),
        ("GET", "/payments/{payment_id}", GenerationMode.NEGATIVE, 404),
        ("GET", "/health", GenerationMode.POSITIVE, 200),
        ("GET", "/evacuation", GenerationMode.POSITIVE, 200),
    ],
)
def test_the_function_keeps_its_promises(method: str, path: str, mode: GenerationMode, seen: int) -> None:
    gateway = new_gateway()
    operation = schemathesis.openapi.from_wsgi("/openapi.json", gateway)[path][method]

    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE:
            _make_likely(case)
        case.headers["x-api-key"] = "a-key"  # who has none is refused by the gateway, not by the function
        case.call_and_validate(excluded_checks=NOT_CHECKED)

    run()
    assert seen in gateway.statuses


def _make_likely(case: Case[Any]) -> None:
    """What the schema cannot say: a time near now, and lists that are by one thing."""
    if isinstance(case.body, dict):
        case.body["timestamp"] = now_ms()
    if case.path == "/payments" and case.method == "GET":
        case.query.pop("customer_id", None)
        case.query.update({"status": "accepted", "from": 1})
        case.query.pop("cursor", None)
