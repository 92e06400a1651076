"""A hostile web page in a developer's browser, beside the embedded AWS: it reads nothing and changes nothing.

The page knows all that it could know, and more: the ports, the names of what is there, and requests that the
account's own key has signed for it. Each of them works where a program sends it.
"""

import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, Route

from payinfra.clients.aws import Endpoints
from payinfra.core.access_key import AccessKey
from payinfra.local import lifecycle
from payinfra.local.control import Control
from tests.support import embedded

EAST = "us-east-1"
API_KEY = "the-value-of-the-api-key"
ROLE = "arn:aws:iam::000000000000:role/r"
TRUST = {
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
}
FUNCTIONS = "/2015-03-31/functions"
FAULT = json.dumps({"kind": "region-blackout", "region": EAST})
GUESSED = AccessKey("test", "test")

SEND = """async sent => {
    const seen = {};
    for (const [name, url, how] of sent) {
        try {
            const answer = await fetch(url, how);
            seen[name] = [answer.type, answer.status, await answer.text()];
        } catch (error) {
            seen[name] = String(error);
        }
    }
    return seen;
}"""
FORM = """([url, text]) => new Promise(done => {
    const frame = document.createElement('iframe');
    frame.name = 'hidden';
    document.body.append(frame);
    const form = document.createElement('form');
    Object.assign(form, {action: url, method: 'post', enctype: 'text/plain', target: 'hidden'});
    const [name, value] = text.split(/=(.*)/s);
    const input = document.createElement('input');
    Object.assign(input, {name, value});
    form.append(input);
    document.body.append(form);
    frame.onload = () => done(true);
    form.submit();
})"""
BEACON = "([url, text]) => navigator.sendBeacon(url, new Blob([text], {type: 'text/plain'}))"
IMAGE = """url => new Promise(done => {
    const image = new Image();
    image.onload = () => done('loaded');
    image.onerror = () => done('failed');
    image.src = url;
})"""


def code(marker: Path) -> bytes:
    """A function that shows that it ran."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("f.py", f"def f(event, context):\n    open({str(marker)!r}, 'a').write('ran ')\n")
    return held.getvalue()


@dataclass(frozen=True)
class Victim:
    """An embedded AWS with an API key and a function."""

    folder: Path
    marker: Path
    endpoints: Endpoints

    @property
    def east(self) -> str:
        return self.endpoints.regions[EAST]

    def client(self, service: str) -> Any:
        return embedded.client(self.folder, service)

    def signed(self, path: str, body: bytes = b"", method: str = "GET", host: str = "", **how: Any) -> str:
        """A URL that the account's key has signed."""
        service = "apigateway" if path.startswith("/apikeys") else "lambda"
        url = (host or self.east) + path
        return embedded.presigned(how.get("key", self.endpoints.access_key), service, EAST, url, method, body)

    def create(self) -> bytes:
        """What makes one more function."""
        zipped = base64.b64encode(code(self.marker)).decode()
        wanted = {"FunctionName": "evil", "Role": ROLE, "Runtime": "python3.11", "Handler": "f.f"}
        return json.dumps({**wanted, "Code": {"ZipFile": zipped}}).encode()

    def nothing_was_done(self) -> None:
        functions = [each["FunctionName"] for each in self.client("lambda").list_functions()["Functions"]]
        assert functions == ["pay"]
        assert not self.marker.exists()
        assert Control.of(self.folder).list() == ()
        assert Control.of(self.folder).status().time_scale == 1.0


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("victim") / ".server"
    try:
        lifecycle.up(folder, (EAST, "us-west-2"), base_port=0)
        made = Victim(folder, folder.parent / "marker", embedded.endpoints_of(folder))
        made.client("apigateway").create_api_key(name="k", value=API_KEY, enabled=True)
        made.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
        made.client("lambda").create_function(
            FunctionName="pay",
            Role=ROLE,
            Runtime="python3.11",
            Handler="f.f",
            Code={"ZipFile": code(made.marker)},
        )
        yield made
    finally:
        lifecycle.down(folder)


class Hostile(BaseHTTPRequestHandler):
    """A web server with an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>win a prize</title><body></body>")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of the hostile page's own server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving.server_port
        serving.shutdown()


@dataclass
class Seen:
    """A page, and what the embedded AWS answered to its requests."""

    page: Page
    answers: list[Response] = field(default_factory=list)

    def refused(self, at_least: int) -> None:
        """Each request was refused, and no answer may be read by another origin."""
        assert len(self.answers) >= at_least
        for answer in self.answers:
            assert answer.status == 403, (answer.request.method, answer.url, answer.status)
            assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture
def page(browser: Browser, victim: Victim) -> Iterator[Seen]:
    context = browser.new_context()
    seen = Seen(context.new_page())
    ports = {urlsplit(url).port for url in (*victim.endpoints.regions.values(), victim.endpoints.global_url)}

    def note(answer: Response) -> None:
        if urlsplit(answer.url).port in ports:
            seen.answers.append(answer)

    context.on("response", note)
    yield seen
    context.close()


@pytest.fixture(params=["localhost", "127.0.0.1", "evil.example"])
def elsewhere(request: pytest.FixtureRequest, page: Seen, port: int) -> Seen:
    """The page on another site, on this one at another port, and at a domain of its own."""
    page.page.goto(f"http://{request.param}:{port}/")
    return page


def text_plain(body: bytes | str) -> dict[str, str]:
    """A request that a browser sends to another origin without asking it."""
    text = body if isinstance(body, str) else body.decode()
    return {"method": "POST", "mode": "no-cors", "body": text}


def test_a_page_reads_nothing_and_changes_nothing(elsewhere: Seen, victim: Victim) -> None:
    create, control = victim.create(), victim.endpoints.global_url
    keys, invoke = "/apikeys?includeValues=true", f"{FUNCTIONS}/pay/invocations"
    header = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request"}
    faults = f"{control}/_payinfra/faults"
    sent: list[tuple[str, str, dict[str, Any]]] = [
        ("reads", victim.signed(keys), {}),
        ("reads with a guessed key", victim.signed(keys, key=GUESSED), {}),
        ("reads with a header", victim.east + keys, {"headers": header}),
        ("reads blindly", victim.signed(keys), {"mode": "no-cors"}),
        ("creates", victim.signed(FUNCTIONS, create, "POST"), text_plain(create)),
        (
            "creates with a guessed key",
            victim.signed(FUNCTIONS, create, "POST", key=GUESSED),
            text_plain(create),
        ),
        ("creates unsigned", victim.east + FUNCTIONS, text_plain(create)),
        ("creates with a header", victim.east + FUNCTIONS, {"method": "POST", "headers": header}),
        ("invokes", victim.signed(invoke, b"{}", "POST"), text_plain("{}")),
        ("invokes with a guessed key", victim.signed(invoke, b"{}", "POST", key=GUESSED), text_plain("{}")),
        ("deletes", victim.signed(f"{FUNCTIONS}/pay", method="DELETE"), {"method": "DELETE"}),
        ("makes a fault", faults, text_plain(FAULT)),
        ("makes a fault with a token", faults, {"method": "POST", "headers": {"x-payinfra-token": "guess"}}),
        ("hurries time", f"{control}/_payinfra/time-scale", {"method": "PUT", "body": '{"scale": 9}'}),
        ("reads the status", f"{control}/_payinfra/status", {"mode": "no-cors"}),
        ("ends it", f"{control}/_payinfra/shutdown", text_plain("{}")),
    ]
    seen = elsewhere.page.evaluate(SEND, sent)
    assert set(seen) == {name for name, _, _ in sent}
    assert API_KEY not in json.dumps(seen)
    for name, what in seen.items():
        # An error, or an answer that the page may know nothing of.
        assert isinstance(what, str) or what == ["opaque", 0, ""], name
    elsewhere.refused(at_least=sum(how.get("mode") == "no-cors" for _, _, how in sent))
    victim.nothing_was_done()


def test_forms_beacons_images_and_links_change_nothing(elsewhere: Seen, victim: Victim) -> None:
    page, invoke = elsewhere.page, f"{FUNCTIONS}/pay/invocations"
    create = victim.create().decode()
    form = '{"a":"=b"}\r\n'  # as a browser writes a form in text/plain: name=value
    page.evaluate(FORM, [victim.signed(invoke, form.encode(), "POST"), form.rstrip()])
    with page.expect_response(lambda answer: FUNCTIONS in answer.url and "evil" not in answer.url):
        assert page.evaluate(BEACON, [victim.signed(FUNCTIONS, create.encode(), "POST"), create])
    assert page.evaluate(IMAGE, victim.signed("/apikeys?includeValues=true")) == "failed"
    with page.expect_navigation() as went:
        page.evaluate("url => { location.href = url }", victim.signed("/apikeys?includeValues=true"))
    assert went.value is not None
    assert went.value.status == 403
    elsewhere.refused(at_least=4)
    victim.nothing_was_done()


def test_a_name_that_was_rebound_to_this_machine_opens_nothing(page: Seen, victim: Victim) -> None:
    """The page is of the very origin that it asks, so that no browser stands between them."""
    for url in (victim.east, victim.endpoints.global_url):
        host = f"http://shop.example:{urlsplit(url).port}"

        def deliver(route: Route) -> None:
            route.fulfill(status=200, content_type="text/html", body="<!doctype html><body></body>")

        page.page.route(f"{host}/", deliver)
        page.page.goto(f"{host}/")
        page.answers.clear()
        create, keys = victim.create(), "/apikeys?includeValues=true"
        path = f"{FUNCTIONS}/pay/invocations"
        api = "/_aws/execute-api/a1/prod/x"
        sent = [
            ("reads", victim.signed(keys, host=host), {}),
            (
                "creates",
                victim.signed(FUNCTIONS, create, "POST", host=host),
                {"method": "POST", "body": create.decode()},
            ),
            ("invokes", victim.signed(path, b"{}", "POST", host=host), {"method": "POST", "body": "{}"}),
            ("makes a fault", f"{host}/_payinfra/faults", {"method": "POST", "body": FAULT}),
            ("calls an API", host + api, {}),
        ]
        seen = page.page.evaluate(SEND, sent)
        assert {name: what[:2] for name, what in seen.items()} == {
            name: ["basic", 403] for name, _, _ in sent
        }
        assert API_KEY not in json.dumps(seen)
        page.refused(at_least=len(sent))
    victim.nothing_was_done()


def ask(url: str, method: str = "GET", body: bytes = b"", /, **headers: str) -> tuple[int, bytes]:
    """An answer to a program."""
    where = urlsplit(url)
    connection = HTTPConnection(where.netloc, timeout=10)
    connection.request(method, f"{where.path}?{where.query}", body, headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_program_without_the_key_is_refused_too(victim: Victim) -> None:
    create = victim.create()

    def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        return ask(url, "POST", body, **headers)

    wrong = AccessKey(victim.endpoints.access_key.access_key_id, "guess")
    for key in (GUESSED, AccessKey("000000000000", "x"), wrong):
        assert ask(victim.signed("/apikeys?includeValues=true", key=key))[0] == 403
        url = victim.east + FUNCTIONS
        headers = embedded.signed(key, "lambda", EAST, url, "POST", create)
        assert post(url, create, **headers)[0] == 403
    assert post(victim.east + FUNCTIONS, create)[0] == 403
    assert post(victim.signed(FUNCTIONS, create, "POST"), create + b" ")[0] == 403
    assert post(f"{victim.endpoints.global_url}/_payinfra/faults", FAULT.encode())[0] == 403
    victim.nothing_was_done()


def test_what_the_page_was_refused_works_for_a_program(victim: Victim) -> None:
    """Else the refusals would show nothing."""
    status, said = ask(victim.signed("/apikeys?includeValues=true"))
    assert (status, API_KEY in said.decode()) == (200, True)
    assert ask(victim.signed(f"{FUNCTIONS}/pay/invocations", b"{}", "POST"), "POST", b"{}")[0] == 200
    assert victim.marker.read_text() == "ran "
    create = victim.create()
    assert ask(victim.signed(FUNCTIONS, create, "POST"), "POST", create)[0] == 201
    victim.client("lambda").delete_function(FunctionName="evil")
    victim.marker.unlink()
    victim.nothing_was_done()


def deploy_api(victim: Victim, origin: str | None = None, authorization: str = "NONE") -> str:
    """An API of a customer's, which lets one origin's pages read it, or none; the URL."""
    gateway = victim.client("apigateway")
    api = gateway.create_rest_api(name="shop")
    of = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    header = "method.response.header.Access-Control-Allow-Origin"
    gateway.put_method(**of, authorizationType=authorization)
    gateway.put_integration(**of, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    declared = {header: True} if origin else {}
    gateway.put_method_response(**of, statusCode="200", responseParameters=declared)
    values = {header: f"'{origin}'"} if origin else {}
    gateway.put_integration_response(
        **of, statusCode="200", responseParameters=values, responseTemplates={"application/json": "hello"}
    )
    gateway.create_deployment(restApiId=api["id"], stageName="prod")
    return f"{victim.east}/_aws/execute-api/{api['id']}/prod/"


def test_a_customers_api_answers_those_pages_that_it_says(page: Seen, victim: Victim, port: int) -> None:
    shop = f"http://localhost:{port}"
    open_api, closed_api = deploy_api(victim, shop), deploy_api(victim)
    page.page.goto(f"{shop}/")
    seen = page.page.evaluate(SEND, [("open", open_api, {}), ("closed", closed_api, {})])
    assert seen["open"] == ["cors", 200, "hello"]
    assert isinstance(seen["closed"], str)
    page.page.goto(f"http://127.0.0.1:{port}/")
    assert isinstance(page.page.evaluate(SEND, [("open", open_api, {})])["open"], str)


def test_an_api_that_asks_for_a_signature_gets_a_true_one(victim: Victim) -> None:
    url = deploy_api(victim, authorization="AWS_IAM")
    key = victim.endpoints.access_key
    api = urlsplit(url).path.split("/")[3]
    assert ask(url)[0] == 403
    for wrong in (GUESSED, AccessKey(key.access_key_id, "guess")):
        assert ask(url, **embedded.signed(wrong, "execute-api", EAST, url))[0] == 403
        assert ask(embedded.presigned(wrong, "execute-api", EAST, url))[0] == 403
    assert ask(url, **embedded.signed(key, "execute-api", EAST, url)) == (200, b"hello")
    assert ask(embedded.presigned(key, "execute-api", EAST, url)) == (200, b"hello")
    host = f"{api}.execute-api.{EAST}.amazonaws.com"
    headers = embedded.signed(key, "execute-api", EAST, f"http://{host}/prod/")
    assert ask(f"{victim.east}/prod/", host=host, **headers) == (200, b"hello")
    assert ask(f"{victim.east}/prod/", host=host)[0] == 403
