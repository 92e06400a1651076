"""The applications in front of ministack, around one that only says what it was asked."""

import asyncio
import json
from dataclasses import dataclass, field, replace

import pytest

from payinfra.local.server.asgi import (
    App,
    AsgiResponse,
    Message,
    Receive,
    Request,
    Scope,
    Send,
    answer,
    read_request,
)
from payinfra.local.server.ministack import serving
from payinfra.local.server.routing import (
    FrontApp,
    GlobalApp,
    RegionApp,
    is_signed,
    over_tls,
    signature_scope,
)

DATE = "20260102"


def signed(service: str, region: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=test/{DATE}/{region}/{service}/aws4_request, Signature=0"


@dataclass
class Echo:
    """Stands for ministack: answers with what it was asked and for which region.

    Attributes:
        status: 403 where it refuses the caller, 400 where it does not know the call.
    """

    asked: list[Request] = field(default_factory=list)
    status: int = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        self.asked.append(request)
        said = json.dumps({"path": request.raw_path, "region": serving.get()}).encode()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": said})


def shout(request: Request, response: AsgiResponse, region: str) -> AsgiResponse:
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

    app: App
    echo: Echo
    touches: list[int]

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


@pytest.fixture
def region() -> Asked:
    echo, touches = Echo(), list[int]()
    front = FrontApp(echo, no_domain, (shout,), lambda: touches.append(1))
    return Asked(RegionApp("us-east-1", front, lambda: ("us-east-1", "us-west-2")), echo, touches)


@pytest.fixture
def everywhere() -> Asked:
    echo, touches = Echo(), list[int]()
    front = FrontApp(echo, no_domain, (shout,), lambda: touches.append(1))

    async def control(request: Request) -> AsgiResponse:
        return answer(200, b"control " + request.path.encode())

    async def data_plane(request: Request) -> AsgiResponse | None:
        return answer(200, b"plane") if request.path.endswith("/status") else None

    return Asked(GlobalApp(front, control, data_plane, "us-east-1"), echo, touches)


def test_the_port_decides_the_region(region: Asked) -> None:
    said = region("POST", "/", authorization=signed("sns", "us-west-2"))
    assert json.loads(said.body) == {"path": "/", "region": "us-east-1"}
    assert dict(said.headers)["x-corrected"] == "us-east-1 POST"


@pytest.mark.parametrize(
    ("signed_for", "served_by"), [("us-west-2", "us-west-2"), ("eu-west-1", "us-east-1")]
)
def test_calls_for_a_replica_that_terraform_sends_to_the_tables_endpoint_reach_the_replica(
    region: Asked, signed_for: str, served_by: str
) -> None:
    said = region("POST", "/", authorization=signed("dynamodb", signed_for))
    assert json.loads(said.body)["region"] == served_by


@pytest.mark.parametrize(
    ("host", "path", "asked"),
    [
        ("127.0.0.1:4566", "/_aws/execute-api/a1/prod/health", "/_aws/execute-api/a1/prod/health"),
        ("a1.execute-api.us-east-1.amazonaws.com", "/prod/health", "/_aws/execute-api/a1/prod/health"),
        ("pay.example.com", "/health", "/_aws/execute-api/api1/prod/health"),
        ("s3.us-east-1.amazonaws.com", "/bucket/key", "/bucket/key"),
    ],
)
def test_an_api_answers_at_its_own_names(region: Asked, host: str, path: str, asked: str) -> None:
    assert json.loads(region("GET", path, host).body)["path"] == asked
    assert region.echo.asked[0].header("host") == host


def test_a_mapping_without_a_stage_leaves_the_stage_to_the_path(region: Asked) -> None:
    app = RegionApp("us-west-2", FrontApp(region.echo, no_domain, (), lambda: None), lambda: ())
    said = Asked(app, region.echo, [])("GET", "/prod/health", "pay.example.com")
    assert json.loads(said.body)["path"] == "/_aws/execute-api/api2/prod/health"


def test_a_host_that_no_api_answers_at_is_forbidden(region: Asked) -> None:
    said = region("GET", "/health", "attacker.example")
    assert (said.status, said.body) == (403, b'{"message":"Forbidden"}')
    assert region.echo.asked == []


def test_a_signed_request_is_let_through_whatever_its_host(region: Asked) -> None:
    assert region("GET", "/", "emulator.internal", authorization=signed("s3", "us-east-1")).status == 200
    assert region("GET", "/?X-Amz-Signature=0", "emulator.internal").status == 200


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_localstack/health"])
def test_the_emulators_own_administration_is_closed(region: Asked, path: str) -> None:
    said = region("POST", path)
    assert said.status == 403
    assert b"AccessDenied" in said.body
    assert region.echo.asked == []


def test_what_may_have_changed_something_is_reported_and_reading_is_not(region: Asked) -> None:
    region("GET", "/bucket")
    region("HEAD", "/bucket")
    assert region.touches == []
    region("PUT", "/bucket")
    assert region.touches == [1]


def test_a_client_that_hung_up_and_what_is_no_request_get_no_answer(region: Asked) -> None:
    http: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    assert asyncio.run(asking(region.app, http, {"type": "http.disconnect"})).status == 0
    assert asyncio.run(asking(region.app, {"type": "websocket"}, {"type": "x"})).status == 0


@pytest.mark.parametrize("service", ["iam", "sts", "route53"])
def test_the_global_port_serves_global_services(everywhere: Asked, service: str) -> None:
    said = everywhere("POST", "/", authorization=signed(service, "us-west-2"))
    assert json.loads(said.body)["region"] == "us-east-1"


@pytest.mark.parametrize("authorization", [signed("s3", "us-east-1"), ""])
def test_the_global_port_is_no_way_around_a_blackout(everywhere: Asked, authorization: str) -> None:
    said = everywhere("GET", "/", authorization=authorization)
    assert said.status == 400
    assert b"each region has its own" in said.body
    assert everywhere.echo.asked == []


@pytest.mark.parametrize(("status", "whose"), [(400, b"plane"), (403, b"healthcheck")])
def test_whoever_may_not_make_a_call_gets_no_answer_of_the_data_plane(
    everywhere: Asked, status: int, whose: bytes
) -> None:
    everywhere.echo.status = status
    said = everywhere("GET", "/2013-04-01/healthcheck/1/status", authorization=signed("route53", "us-east-1"))
    assert whose in said.body
    assert [request.path for request in everywhere.echo.asked] == ["/2013-04-01/healthcheck/1/status"]


def test_control_and_the_missing_route_53_calls_are_not_ministacks(everywhere: Asked) -> None:
    route53 = signed("route53", "us-east-1")
    assert everywhere("GET", "/_payinfra/status").body == b"control /_payinfra/status"
    assert everywhere.echo.asked == []
    assert everywhere("GET", "/2013-04-01/healthcheck/1/status", authorization=route53).body == b"plane"
    said = everywhere("GET", "/2013-04-01/healthcheck/1", authorization=route53)
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
    request = Request("GET", "/", headers=(("x-forwarded-proto", "http"), ("a", "b")))
    assert over_tls(request).headers == (("a", "b"), ("x-forwarded-proto", "https"))


def test_what_a_request_was_signed_for() -> None:
    assert signature_scope(Request("GET", "/", headers=(("authorization", signed("s3", "r-1")),))) == (
        "r-1",
        "s3",
    )
    assert signature_scope(Request("GET", "/")) == ("", "")
    assert not is_signed(Request("GET", "/"))
