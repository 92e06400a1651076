"""The applications in front of ministack, around one that only says what it was asked."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from payinfra.core.access_key import AccessKey
from payinfra.local.faults import ServiceDelay, ServiceDenial, ServiceErrors, ServiceThrottling
from payinfra.local.server.asgi import (
    App,
    AsgiResponse,
    HttpRequest,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    read_request,
)
from payinfra.local.server.authentication import Authentication, verified
from payinfra.local.server.ministack import serving
from payinfra.local.server.routing import FrontApp, GlobalApp, RegionApp, over_tls, without_cors
from payinfra.local.server.sigv4 import SignatureRefused
from tests.support.embedded import signed

KEY = AccessKey("AKIAROOT", "secret")
HERE = "127.0.0.1"
NONE: Mapping[str, str] = {}
ELSEWHERE = [
    {"origin": "https://evil.example"},
    {"origin": "http://localhost"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "null"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "Same-Site"},
    {"sec_fetch_site": "something new"},
    {"sec_fetch_site": "same-origin", "origin": "https://evil.example"},
]
"""What a browser says when a page of another origin sends a request."""


def secret_of(access_key_id: str, _token: str) -> str:
    if access_key_id != KEY.access_key_id:
        raise SignatureRefused("UnrecognizedClientException", "Who is that?")
    return KEY.secret_access_key


def refuse(_request: HttpRequest, refused: SignatureRefused) -> AsgiResponse:
    return answer(400, f"refused: {refused.code}".encode())


@dataclass
class Echo:
    """Stands for ministack: answers with what it was asked and for which region.

    Attributes:
        status: 403 where it refuses the caller, 400 where it does not know the call.
    """

    asked: list[HttpRequest] = field(default_factory=list)
    status: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        self.asked.append(request)
        seen = {"path": request.raw_path, "region": serving.get(), "key": verified.get()}
        said = json.dumps(seen).encode()
        headers = [(b"access-control-allow-origin", b"*"), (b"x-kept", b"yes")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": said})


def shout(request: HttpRequest, response: AsgiResponse, region: str) -> AsgiResponse:
    """A correction that leaves its mark."""
    return replace(response, headers=(*response.headers, ("x-corrected", f"{region} {request.method}")))


def no_domain(region: str, host: str, path: str) -> tuple[str, str, str] | None:
    """One custom domain, with a stage in one region and without in another."""
    if host != "pay.example.com":
        return None
    return ("api1", "prod", path) if region == "us-east-1" else ("api2", "", path)


@dataclass
class Asked:
    """One application to be asked."""

    app: RegionApp | GlobalApp
    echo: Echo
    touches: list[int]

    @property
    def front(self) -> FrontApp:
        return self.app.front

    def __call__(self, method: str, path: str, host: str = "127.0.0.1", **headers: str) -> AsgiResponse:
        lines = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        raw_path, _, query = path.partition("?")
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": raw_path,
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "headers": [(key.encode(), value.encode()) for key, value in lines.items()],
        }
        return asyncio.run(asking(self.app, scope, {"type": "http.request", "body": b""}))

    def signed(
        self,
        service: str,
        region: str,
        method: str = "POST",
        path: str = "/",
        key: AccessKey = KEY,
        host: str = HERE,
        headers: Mapping[str, str] = NONE,
    ) -> AsgiResponse:
        """An answer to a signed request."""
        lines = signed(key, service, region, f"http://{host}{path}", method, b"", **headers)
        return self(
            method, path, host, **{name.lower().replace("-", "_"): one for name, one in lines.items()}
        )


async def asking(app: App, scope: Scope, first: Message) -> AsgiResponse:
    got: list[Message] = []

    async def receive() -> Message:
        return first

    async def send(message: Message) -> None:
        got.append(message)

    await app(scope, receive, send)
    if not got:
        return AsgiResponse(0)
    headers = tuple((key.decode(), value.decode()) for key, value in got[0]["headers"])
    return AsgiResponse(got[0]["status"], headers, got[1]["body"])


def made(echo: Echo, touches: list[int]) -> FrontApp:
    return FrontApp(echo, no_domain, Authentication(secret_of), refuse, (shout,), lambda: touches.append(1))


@pytest.fixture
def region() -> Asked:
    echo, touches = Echo(), list[int]()
    front = made(echo, touches)
    return Asked(RegionApp("us-east-1", front, lambda: ("us-east-1", "us-west-2")), echo, touches)


@pytest.fixture
def everywhere() -> Asked:
    echo, touches = Echo(), list[int]()
    front = made(echo, touches)

    async def control(request: HttpRequest) -> AsgiResponse:
        return answer(200, b"control " + request.path.encode())

    async def data_plane(request: HttpRequest) -> AsgiResponse | None:
        return answer(200, b"plane") if request.path.endswith("/status") else None

    return Asked(GlobalApp(front, control, data_plane, "us-east-1"), echo, touches)


def test_a_call_is_a_call_to_the_regions_port(region: Asked) -> None:
    said = region.signed("sns", "us-east-1")
    assert json.loads(said.body) == {"path": "/", "region": "us-east-1", "key": KEY.access_key_id}
    assert dict(said.headers)["x-corrected"] == "us-east-1 POST"


@pytest.mark.parametrize(
    ("service", "signed_for"), [("sns", "us-west-2"), ("dynamodb", "eu-west-1"), ("sns", "eu-west-1")]
)
def test_a_call_that_is_signed_for_another_region_is_refused(
    region: Asked, service: str, signed_for: str
) -> None:
    assert region.signed(service, signed_for).body == b"refused: SignatureDoesNotMatch"
    assert region.echo.asked == []


def test_calls_for_a_replica_that_terraform_sends_to_the_tables_endpoint_reach_the_replica(
    region: Asked,
) -> None:
    assert json.loads(region.signed("dynamodb", "us-west-2").body)["region"] == "us-west-2"


@pytest.mark.parametrize(
    ("service", "code", "status"), [("s3", "SlowDown", 503), ("dynamodb", "ThrottlingException", 400)]
)
def test_a_service_that_throttles_refuses_in_its_region_and_before_anything_is_done(
    region: Asked, service: str, code: str, status: int
) -> None:
    region.front.board.inject(ServiceThrottling("us-east-1", service))
    said = region.signed(service, "us-east-1")
    assert (said.status, said.body) == (status, f"refused: {code}".encode())
    assert region.echo.asked == []
    assert region.signed("dynamodb", "us-west-2").status == region.signed("sns", "us-east-1").status == 200


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (ServiceDenial("us-east-1", "s3"), "AccessDenied", 403),
        (ServiceDenial("us-east-1", "dynamodb"), "AccessDeniedException", 400),
        (ServiceErrors("us-east-1", "s3", 100), "InternalError", 500),
        (ServiceErrors("us-east-1", "dynamodb", 100), "InternalServerError", 500),
    ],
)
def test_a_service_that_denies_or_fails_does_nothing(
    region: Asked, fault: ServiceDenial | ServiceErrors, code: str, status: int
) -> None:
    region.front.board.inject(fault)
    said = region.signed(fault.service, "us-east-1")
    assert (said.status, said.body) == (status, f"refused: {code}".encode())
    assert region.echo.asked == []
    assert region.signed("dynamodb", "us-west-2").status == region.signed("sns", "us-east-1").status == 200


def test_a_service_that_is_late_answers_all_the_same(region: Asked) -> None:
    region.front.board.inject(ServiceDelay("us-east-1", "dynamodb", 0.2))
    began = time.monotonic()
    assert region.signed("dynamodb", "us-east-1").status == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    ("host", "path", "asked"),
    [
        ("127.0.0.1:4566", "/_aws/execute-api/a1/prod/health", "/_aws/execute-api/a1/prod/health"),
        ("a1.execute-api.us-east-1.amazonaws.com", "/prod/health", "/_aws/execute-api/a1/prod/health"),
        ("a1.execute-api.us-east-1.amazonaws.com", "/", "/_aws/execute-api/a1/"),
        ("pay.example.com", "/health", "/_aws/execute-api/api1/prod/health"),
    ],
)
def test_an_api_answers_at_its_own_names_to_anybody(region: Asked, host: str, path: str, asked: str) -> None:
    assert json.loads(region("GET", path, host).body) == {"path": asked, "region": "us-east-1", "key": ""}
    assert region.echo.asked[0].header("host") == host


def test_a_mapping_without_a_stage_leaves_the_stage_to_the_path(region: Asked) -> None:
    app = RegionApp("us-west-2", made(region.echo, []), lambda: ())
    said = Asked(app, region.echo, [])("GET", "/prod/health", "pay.example.com")
    assert json.loads(said.body)["path"] == "/_aws/execute-api/api2/prod/health"


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_an_api_decides_itself_which_web_pages_it_answers(region: Asked, headers: dict[str, str]) -> None:
    for host, path in ((HERE, "/_aws/execute-api/a1/prod/health"), ("pay.example.com", "/health")):
        said = region("OPTIONS", path, host, **headers)
        assert (said.status, dict(said.headers)["access-control-allow-origin"]) == (200, "*")


def test_who_signed_a_call_of_an_api_is_known_to_the_api_where_the_signature_is_true(region: Asked) -> None:
    path = "/_aws/execute-api/a1/prod/health"
    assert json.loads(region.signed("execute-api", "us-east-1", path=path).body)["key"] == KEY.access_key_id
    for wrong in (AccessKey("AKIAROOT", "guess"), AccessKey("AKIAOTHER", "secret")):
        assert json.loads(region.signed("execute-api", "us-east-1", path=path, key=wrong).body)["key"] == ""
    other = "a1.execute-api.us-east-1.amazonaws.com"
    said = region.signed("execute-api", "us-east-1", path="/prod/health", host=other)
    assert json.loads(said.body)["key"] == KEY.access_key_id


@pytest.mark.parametrize("path", ["/_aws/execute-api/", "/_aws/execute-api/a1", "/_aws/execute-api//prod/x"])
def test_what_is_no_api_is_no_way_around_the_signature(region: Asked, path: str) -> None:
    assert region("GET", path).body == b"refused: MissingAuthenticationToken"
    assert region.echo.asked == []


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:4566", "127.0.0.1.nip.io", ""])
def test_a_host_that_no_api_answers_at_is_forbidden_however_the_request_is_signed(
    region: Asked, host: str
) -> None:
    for said in (
        region("GET", "/health", host),
        region.signed("s3", "us-east-1", host=host) if host else region("GET", "/", host),
        region("GET", "/?X-Amz-Signature=0", host),
        region("POST", "/_aws/execute-api/a1/prod/health", host),
    ):
        assert (said.status, said.body) == (403, b'{"message":"Forbidden"}')
    assert region.echo.asked == []


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_a_web_page_of_another_origin_is_refused_however_its_request_is_signed(
    region: Asked, everywhere: Asked, headers: dict[str, str]
) -> None:
    for said in (
        region("OPTIONS", "/", **headers),
        region("GET", "/bucket/key", **headers),
        region.signed("lambda", "us-east-1", path="/2015-03-31/functions", headers=headers),
        region.signed("lambda", "us-east-1", host="localhost:4566", headers=headers),
        everywhere("POST", "/_payinfra/faults", **headers),
        everywhere("GET", "/_payinfra/status", **headers),
        everywhere.signed("iam", "us-east-1", headers=headers),
    ):
        assert (said.status, b"another origin" in said.body) == (403, True)
        assert not [name for name, _ in said.headers if name.startswith("access-control")]
    assert (region.echo.asked, everywhere.echo.asked, region.touches) == ([], [], [])


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec_fetch_site": "none"}, {"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1"}],
)
def test_what_a_person_typed_or_the_same_origin_sent_is_no_foreign_page(
    region: Asked, everywhere: Asked, headers: dict[str, str]
) -> None:
    assert region.signed("s3", "us-east-1", "GET", "/bucket/key", headers=headers).status == 200
    assert everywhere("GET", "/_payinfra/status", **headers).status == 200


def test_a_page_is_refused_before_its_body_is_read(region: Asked) -> None:
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"host", b"127.0.0.1"), (b"origin", b"https://evil.example")],
    }
    assert asyncio.run(asking(region.app, scope, {"type": "http.disconnect"})).status == 403


def test_no_answer_but_an_apis_tells_a_browser_that_another_origin_may_read_it(
    region: Asked, everywhere: Asked
) -> None:
    for said in (region.signed("sns", "us-east-1"), everywhere.signed("sts", "us-east-1")):
        names = [name for name, _ in said.headers]
        assert "x-kept" in names
        assert not [name for name in names if name.startswith("access-control")]
    kept = AsgiResponse(200, (("access-control-max-age", "1"), ("vary", "origin")))
    assert without_cors(kept).headers == (("vary", "origin"),)


@pytest.mark.parametrize(
    "key", [AccessKey("test", "test"), AccessKey("000000000000", "x"), AccessKey("AKIAROOT", "x")]
)
def test_whoever_does_not_have_the_key_is_refused(region: Asked, everywhere: Asked, key: AccessKey) -> None:
    for said in (region.signed("s3", "us-east-1", key=key), everywhere.signed("iam", "us-east-1", key=key)):
        assert said.body in (b"refused: SignatureDoesNotMatch", b"refused: UnrecognizedClientException")
    assert region("GET", "/").body == everywhere("GET", "/").body == b"refused: MissingAuthenticationToken"
    assert (region.echo.asked, everywhere.echo.asked) == ([], [])


def test_one_request_is_not_signed_by_what_another_one_carried(region: Asked) -> None:
    async def both() -> AsgiResponse:
        verified.set("AKIASOMEBODY")
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/_aws/execute-api/a1/prod/x",
            "headers": [(b"host", b"127.0.0.1")],
        }
        return await asking(region.app, scope, {"type": "http.request", "body": b""})

    assert json.loads(asyncio.run(both()).body)["key"] == ""


def test_a_name_of_a_services_own_is_served_to_whoever_signed(region: Asked) -> None:
    host = "s3.us-east-1.amazonaws.com"
    said = region.signed("s3", "us-east-1", "GET", "/bucket/key", host=host)
    assert json.loads(said.body)["path"] == "/bucket/key"
    assert region("GET", "/bucket/key", host).body == b"refused: MissingAuthenticationToken"


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_localstack/health"])
def test_the_emulators_own_administration_is_closed(region: Asked, path: str) -> None:
    said = region("POST", path)
    assert said.status == 403
    assert b"AccessDenied" in said.body
    assert region.echo.asked == []


def test_what_may_have_changed_something_is_reported_and_reading_is_not(region: Asked) -> None:
    region.signed("s3", "us-east-1", "GET", "/bucket")
    region.signed("s3", "us-east-1", "HEAD", "/bucket")
    assert region.touches == []
    region.signed("s3", "us-east-1", "PUT", "/bucket")
    assert region.touches == [1]


def test_a_client_that_hung_up_and_what_is_no_request_get_no_answer(region: Asked) -> None:
    headers = [(b"host", b"127.0.0.1")]
    http: Scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    assert asyncio.run(asking(region.app, http, {"type": "http.disconnect"})).status == 0
    assert asyncio.run(asking(region.app, {"type": "websocket"}, {"type": "x"})).status == 0


@pytest.mark.parametrize("service", ["iam", "sts", "route53"])
def test_the_global_port_serves_global_services(everywhere: Asked, service: str) -> None:
    said = everywhere.signed(service, "us-west-2")
    assert json.loads(said.body)["region"] == "us-east-1"


def test_the_global_port_is_no_way_around_a_blackout(everywhere: Asked) -> None:
    said = everywhere.signed("s3", "us-east-1", "GET")
    assert said.status == 400
    assert b"each region has its own" in said.body
    assert everywhere.echo.asked == []


@pytest.mark.parametrize(("status", "whose"), [(400, b"plane"), (403, b"healthcheck")])
def test_whoever_may_not_make_a_call_gets_no_answer_of_the_data_plane(
    everywhere: Asked, status: int, whose: bytes
) -> None:
    everywhere.echo.status = status
    said = everywhere.signed("route53", "us-east-1", "GET", "/2013-04-01/healthcheck/1/status")
    assert whose in said.body
    assert [request.path for request in everywhere.echo.asked] == ["/2013-04-01/healthcheck/1/status"]


def test_control_and_the_missing_route_53_calls_are_not_ministacks(everywhere: Asked) -> None:
    assert everywhere("GET", "/_payinfra/status").body == b"control /_payinfra/status"
    assert everywhere.echo.asked == []
    status = "/2013-04-01/healthcheck/1/status"
    assert everywhere.signed("route53", "us-east-1", "GET", status).body == b"plane"
    said = everywhere.signed("route53", "us-east-1", "GET", "/2013-04-01/healthcheck/1")
    assert json.loads(said.body)["path"] == "/2013-04-01/healthcheck/1"


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:4560", ""])
def test_the_global_port_refuses_a_name_that_was_rebound_to_loopback(everywhere: Asked, host: str) -> None:
    said = everywhere("GET", "/_payinfra/status", host)
    assert said.status == 403
    assert b"loopback" in said.body


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "[::1]:1", "LOCALHOST"])
def test_the_global_port_answers_to_loopback_names(everywhere: Asked, host: str) -> None:
    assert everywhere("GET", "/_payinfra/status", host).status == 200


def test_loopback_stands_for_tls() -> None:
    request = HttpRequest("GET", "/", headers=(("x-forwarded-proto", "http"), ("a", "b")))
    assert over_tls(request).headers == (("a", "b"), ("x-forwarded-proto", "https"))
