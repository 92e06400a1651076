"""The ASGI applications in front of ministack: one for each region's port, one for the global port."""

import re
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from payinfra.local.server.asgi import (
    App,
    AsgiResponse,
    ClientGone,
    Receive,
    Request,
    Scope,
    Send,
    answer,
    ask,
    read_request,
    send_response,
)
from payinfra.local.server.ministack import serving
from payinfra.local.server.retries import Retries

GLOBAL_SERVICES = frozenset({"iam", "sts", "route53"})
REFUSED = 403
"""What AWS's services that speak XML answer to a caller who may not (IAM user guide, "Common errors")."""

_EXECUTE_API_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com")
_SIGNED_FOR = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_NAMES_OF_SERVICES = (".amazonaws.com", ".localhost")
_ADMIN = ("/_ministack/", "/_localstack/")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})


class ResponsePatch(Protocol):
    """Makes an answer of ministack's into what AWS answers; gives it back as it is where it has no say."""

    def __call__(self, request: Request, response: AsgiResponse, region: str) -> AsgiResponse: ...


Mapped = Callable[[str, str, str], tuple[str, str, str] | None]
"""Region, domain and path to API, stage, which may be empty, and the rest of the path; None for no API."""

Handler = Callable[[Request], Awaitable[AsgiResponse | None]]


def aws_error(status: int, code: str, message: str) -> AsgiResponse:
    """An error in the form that every AWS SDK reads a code from."""
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    with_code = answer(status, body.encode(), "text/xml")
    return replace(with_code, headers=(*with_code.headers, ("x-amzn-errortype", code)))


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine. Any other may be a web page's, rebound to loopback."""
    return host in _LOOPBACK_HOSTS


def signature_scope(request: Request) -> tuple[str, str]:
    """The region and the service that a request was signed for, empty where it was not signed."""
    found = _SIGNED_FOR.search(request.header("authorization"))
    return (found.group(1), found.group(2)) if found else ("", "")


def is_signed(request: Request) -> bool:
    """Whether the request carries AWS credentials, in a header or in its query."""
    return "authorization" in dict(request.headers) or "X-Amz-Signature" in request.query


def to_its_api(request: Request, region: str, mapped: Mapped) -> Request | None:
    """AWS: a REST API answers at `{api}.execute-api.{region}.amazonaws.com` and at its custom domains.

    ministack knows an API by a path of its own; the Host header stays, as the function sees it on AWS.

    Returns:
        None for a host that no API answers at.
    """
    own = _EXECUTE_API_HOST.fullmatch(request.host)
    if own:
        return replace(request, raw_path=f"/_aws/execute-api/{own.group(1)}{request.raw_path}")
    if is_loopback(request.host) or is_signed(request) or request.host.endswith(_NAMES_OF_SERVICES):
        return request
    found = mapped(region, request.host, request.raw_path)
    if found is None:
        return None
    api, stage, rest = found
    return replace(request, raw_path="/".join(("/_aws/execute-api", api, *filter(None, (stage,)))) + rest)


def over_tls(request: Request) -> Request:
    """AWS is called through TLS. Loopback stands for it here, so that a TLS-only policy lets callers in."""
    kept = tuple((key, value) for key, value in request.headers if key != "x-forwarded-proto")
    return replace(request, headers=(*kept, ("x-forwarded-proto", "https")))


@dataclass
class FrontApp:
    """What both kinds of port have in common.

    Args:
        emulator: ministack's application.
        mapped: finds the API behind a region's custom domain.
        answers: applied in this order to each answer.
        touched: told of each request that may have changed something.
        answered: told of each request with its answer, its region and how many seconds it took.
    """

    emulator: App
    mapped: Mapped
    answers: Sequence[ResponsePatch]
    touched: Callable[[], None]
    answered: Callable[[Request, AsgiResponse, str, float], None] = (
        lambda _request, _response, _region, _seconds: None
    )
    retries: Retries = field(default_factory=Retries)

    async def forward(self, request: Request, region: str, scope: Scope, receive: Receive) -> AsgiResponse:
        """Lets ministack answer, once however often an SDK asks, and corrects what it says."""
        return await self.retries.once(request, lambda: self._forward(request, region, scope, receive))

    async def _forward(self, request: Request, region: str, scope: Scope, receive: Receive) -> AsgiResponse:
        began = time.monotonic()
        response = await ask(self.emulator, scope, receive, over_tls(request))
        self.answered(request, response, region, time.monotonic() - began)
        if request.method not in ("GET", "HEAD"):
            self.touched()
        for correct in self.answers:
            response = correct(request, response, region)
        return response


async def _answer(
    scope: Scope, receive: Receive, send: Send, handle: Callable[[Request], Awaitable[AsgiResponse]]
) -> None:
    if scope["type"] != "http":
        return
    try:
        request = await read_request(scope, receive)
    except ClientGone:
        return
    await send_response(send, await handle(request))


@dataclass
class RegionApp:
    """One region's port: every call is a call to this region.

    Args:
        served: the regions that have a port.
    """

    region: str
    front: FrontApp
    served: Callable[[], Collection[str]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""

        async def handle(request: Request) -> AsgiResponse:
            region = self._region_of(request)
            serving.set(region)
            if request.path.startswith(_ADMIN):
                return aws_error(403, "AccessDenied", "The emulator's own administration is closed.")
            meant = to_its_api(request, region, self.front.mapped)
            if meant is None:
                return answer(403, b'{"message":"Forbidden"}')
            return await self.front.forward(meant, region, scope, receive)

        await _answer(scope, receive, send, handle)

    def _region_of(self, request: Request) -> str:
        """The port's region, with one exception.

        Terraform's provider knows one DynamoDB endpoint, and sends it the calls for a table's replicas too,
        signed for the replica's region. On AWS each would go to its own region's endpoint.
        """
        region, service = signature_scope(request)
        return region if service == "dynamodb" and region in self.served() else self.region


@dataclass
class GlobalApp:
    """The global port: IAM, STS and Route 53, and beneath a path of its own the control of faults.

    Args:
        control: answers the control's paths.
        data_plane: answers those calls of Route 53 that ministack lacks, where ministack lets the caller
            make them; None leaves the answer to ministack as well.
    """

    front: FrontApp
    control: Callable[[Request], Awaitable[AsgiResponse]]
    data_plane: Handler
    region: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        serving.set(self.region)

        async def handle(request: Request) -> AsgiResponse:
            if not is_loopback(request.host):
                return aws_error(403, "AccessDenied", "This port answers to a loopback name only.")
            if request.path.startswith("/_payinfra/"):
                return await self.control(request)
            service = signature_scope(request)[1]
            if service not in GLOBAL_SERVICES:
                return aws_error(
                    400, "InvalidEndpoint", "This port serves IAM, STS and Route 53; each region has its own."
                )
            own = await self.data_plane(request) if service == "route53" else None
            # Asked either way: ministack knows who may, also of calls that it has no other answer to.
            said = await self.front.forward(request, self.region, scope, receive)
            return said if own is None or said.status == REFUSED else own

        await _answer(scope, receive, send, handle)
