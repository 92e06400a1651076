"""The ASGI applications in front of ministack: one for each region's port, one for the global port.

A request passes three gates before anything is done: the Host must be ours, no web page of another origin may
have sent it, and its signature must be true. Deployed APIs have rules of their own behind the first gate.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from payinfra.local.faults import FaultRegistry
from payinfra.local.server.asgi import (
    App,
    AsgiResponse,
    ClientGone,
    HttpRequest,
    Receive,
    Scope,
    Send,
    answer,
    ask,
    read_body,
    request_head,
    send_response,
)
from payinfra.local.server.authentication import Scopes, verified
from payinfra.local.server.ministack import serving
from payinfra.local.server.recording import RequestRecorder
from payinfra.local.server.retries import Retries
from payinfra.local.server.sigv4 import SignatureClaim, SignatureRefused, is_signed

GLOBAL_SERVICES = frozenset({"iam", "sts", "route53"})
REFUSED = 403
"""What AWS's services that speak XML answer to a caller who may not (IAM user guide, "Common errors")."""

_EXECUTE_API_HOST = re.compile(r"([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com")
_API = re.compile(r"/_aws/execute-api/[^/]+/.*", re.DOTALL)
_NAMES_OF_SERVICES = (".amazonaws.com", ".localhost")
"""Nobody else can have a web page there, or have such a name resolved to loopback."""
_ADMIN = ("/_ministack/", "/_localstack/")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OWN_SITES = frozenset({"", "none", "same-origin"})
_CORS = "access-control-"


class ResponsePatch(Protocol):
    """Makes an answer of ministack's into what AWS answers; gives it back as it is where it has no say."""

    def __call__(self, request: HttpRequest, response: AsgiResponse, region: str) -> AsgiResponse: ...


Mapped = Callable[[str, str, str], tuple[str, str, str] | None]
"""Region, domain and path to API, stage, which may be empty, and the rest of the path; None for no API."""

Handler = Callable[[HttpRequest], Awaitable[AsgiResponse | None]]

Serve = Callable[[HttpRequest], Awaitable[AsgiResponse]]

Authenticate = Callable[[HttpRequest, Scopes], SignatureClaim]
"""Who signed a request; raises SignatureRefused."""


def aws_error(status: int, code: str, message: str) -> AsgiResponse:
    """An error in the form that every AWS SDK reads a code from."""
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    with_code = answer(status, body.encode(), "text/xml")
    return replace(with_code, headers=(*with_code.headers, ("x-amzn-errortype", code)))


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine. Any other may be a web page's, rebound to loopback."""
    return host in _LOOPBACK_HOSTS


def foreign_page(request: HttpRequest) -> AsgiResponse | None:
    """The refusal of what a web page of another origin sent; None for anything else.

    Browsers name the page's origin, or how it relates to the request's (W3C, "Fetch Metadata Request
    Headers"), and let no page change that. What a person typed or a program sent has neither, or `none`.
    """
    own = f"http://{request.header('host')}"
    origins = {value for name, value in request.headers if name == "origin"}
    sites = {value.lower() for name, value in request.headers if name == "sec-fetch-site"}
    if origins <= {own} and sites <= _OWN_SITES:
        return None
    return aws_error(REFUSED, "AccessDenied", "The embedded AWS answers no web page of another origin.")


def without_cors(response: AsgiResponse) -> AsgiResponse:
    """AWS: control planes let no web page of another origin read their answers. ministack lets all."""
    kept = tuple((name, value) for name, value in response.headers if not name.startswith(_CORS))
    return replace(response, headers=kept)


def to_its_api(request: HttpRequest, region: str, mapped: Mapped) -> HttpRequest | None:
    """AWS: a REST API answers at `{api}.execute-api.{region}.amazonaws.com` and at its custom domains.

    ministack knows an API by a path of its own; the Host header stays, as the function sees it on AWS.

    Returns:
        None for a host that no API answers at.
    """
    own = _EXECUTE_API_HOST.fullmatch(request.host)
    if own:
        return replace(request, raw_path=f"/_aws/execute-api/{own.group(1)}{request.raw_path}")
    if is_loopback(request.host) or request.host.endswith(_NAMES_OF_SERVICES):
        return request
    found = mapped(region, request.host, request.raw_path)
    if found is None:
        return None
    api, stage, rest = found
    return replace(request, raw_path="/".join(("/_aws/execute-api", api, *filter(None, (stage,)))) + rest)


def forbidden() -> AsgiResponse:
    """What API Gateway answers to a Host that none of its APIs has."""
    refused = answer(REFUSED, b'{"message":"Forbidden"}')
    return replace(refused, headers=(*refused.headers, ("x-amzn-errortype", "ForbiddenException")))


def over_tls(request: HttpRequest) -> HttpRequest:
    """AWS is called through TLS. Loopback stands for it here, so that a TLS-only policy lets callers in."""
    kept = tuple((key, value) for key, value in request.headers if key != "x-forwarded-proto")
    return replace(request, headers=(*kept, ("x-forwarded-proto", "https")))


@dataclass
class FrontApp:
    """What both kinds of port have in common.

    Args:
        emulator: ministack's application.
        mapped: finds the API behind a region's custom domain.
        authenticate: finds out who calls.
        refuse: answers who is not known.
        answers: applied in this order to each answer.
        touched: told of each request that may have changed something.
        answered: told of each request with its answer, its region and how many seconds it took.
        board: says which services throttle or are slow.
    """

    emulator: App
    mapped: Mapped
    authenticate: Authenticate
    refuse: Callable[[HttpRequest, SignatureRefused], AsgiResponse]
    answers: Sequence[ResponsePatch]
    touched: Callable[[], None]
    answered: Callable[[HttpRequest, AsgiResponse, str, float], None] = (
        lambda _request, _response, _region, _seconds: None
    )
    board: FaultRegistry = field(default_factory=FaultRegistry)
    retries: Retries = field(default_factory=Retries)
    recorder: RequestRecorder | None = None

    def begin(self, request: HttpRequest) -> None:
        """Begin a request, where somebody wants a record."""
        if self.recorder:
            self.recorder.begin(request)

    def keep(self, request: HttpRequest, response: AsgiResponse, claim: SignatureClaim) -> AsgiResponse:
        """Record a request that was answered, where somebody wants a record; the answer."""
        if self.recorder:
            self.recorder.record(request, response, claim.service, claim.region)
        return response

    async def forward(
        self, request: HttpRequest, region: str, scope: Scope, receive: Receive
    ) -> AsgiResponse:
        """Let ministack answer, once however often an SDK asks, and correct what it answers."""
        return await self.retries.once(request, lambda: self._forward(request, region, scope, receive))

    async def disturb(self, request: HttpRequest, claim: SignatureClaim) -> AsgiResponse | None:
        """Let a call wait for a slow service; return the refusal of one that takes none, else None."""
        if self.board.throttles(claim.region, claim.service):
            code = "SlowDown" if claim.service == "s3" else "ThrottlingException"
            refused = self.refuse(request, SignatureRefused(code, "Rate exceeded"))
            return replace(refused, status=503 if claim.service == "s3" else 400)
        if self.board.denies(claim.region, claim.service):
            code = "AccessDenied" if claim.service == "s3" else "AccessDeniedException"
            denied = self.refuse(
                request, SignatureRefused(code, "The embedded AWS denies it, as it was told to")
            )
            return replace(denied, status=403 if claim.service == "s3" else 400)
        if late := self.board.lateness(claim.region, claim.service):
            await asyncio.sleep(late)
        if self.board.fails(claim.region, claim.service):
            code = "InternalError" if claim.service == "s3" else "InternalServerError"
            return replace(
                self.refuse(request, SignatureRefused(code, "It failed, as it was told to")), status=500
            )
        return None

    async def _forward(
        self, request: HttpRequest, region: str, scope: Scope, receive: Receive
    ) -> AsgiResponse:
        began = time.monotonic()
        response = await ask(self.emulator, scope, receive, over_tls(request))
        self.answered(request, response, region, time.monotonic() - began)
        if request.method not in ("GET", "HEAD"):
            self.touched()
        for correct in self.answers:
            response = correct(request, response, region)
        return response


async def _answer(
    scope: Scope, receive: Receive, send: Send, admit: Callable[[HttpRequest], Serve | AsgiResponse]
) -> None:
    """Serve one request.

    Args:
        admit: looks at the request before its body is read, and says what serves it, or refuses it.
    """
    if scope["type"] != "http":
        return
    verified.set("")
    head = request_head(scope)
    serve = admit(head)
    if isinstance(serve, AsgiResponse):
        await send_response(send, serve)
        return
    try:
        request = replace(head, body=await read_body(receive))
    except ClientGone:
        return
    await send_response(send, await serve(request))


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
        """Serve one request."""
        serving.set(self.region)

        async def call_service(request: HttpRequest) -> AsgiResponse:
            try:
                claim = self.front.authenticate(request, self._serves)
            except SignatureRefused as refused:
                return self.front.refuse(request, refused)
            verified.set(claim.access_key_id)
            serving.set(claim.region)
            disturbed = await self.front.disturb(request, claim)
            if disturbed:
                return disturbed
            self.front.begin(request)
            said = without_cors(await self.front.forward(request, claim.region, scope, receive))
            return self.front.keep(request, said, claim)

        async def call_api(request: HttpRequest) -> AsgiResponse:
            return await self.call_api(request, scope, receive)

        def admit(head: HttpRequest) -> Serve | AsgiResponse:
            meant = to_its_api(head, self.region, self.front.mapped)
            if meant is None:
                return forbidden()
            if _API.fullmatch(meant.path):
                return call_api
            if head.path.startswith(_ADMIN):
                return aws_error(REFUSED, "AccessDenied", "The emulator's own administration is closed.")
            return foreign_page(head) or call_service

        await _answer(scope, receive, send, admit)

    async def call_api(self, request: HttpRequest, scope: Scope, receive: Receive) -> AsgiResponse:
        """Let a deployed API answer."""
        # The API decides who may call it. Only a method with IAM's authorization looks at a signature.
        if is_signed(request):
            with contextlib.suppress(SignatureRefused):
                verified.set(self.front.authenticate(request, self._serves).access_key_id)
        meant = to_its_api(request, self.region, self.front.mapped) or request
        return await self.front.forward(meant, self.region, scope, receive)

    def _serves(self, claim: SignatureClaim) -> bool:
        """Whether the port takes what is signed for this region: its own, with one exception.

        Terraform's provider knows one DynamoDB endpoint, and sends it the calls for a table's replicas too,
        signed for the replica's region. On AWS each would go to its own region's endpoint.
        """
        return claim.region == self.region or (claim.service == "dynamodb" and claim.region in self.served())


@dataclass
class DomainApp:
    """A region's port with TLS, to which the names of custom domains lead: its APIs answer there, by the Host
    that is asked for, and nothing else does."""

    regional: RegionApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        region = self.regional.region
        serving.set(region)

        async def call_api(request: HttpRequest) -> AsgiResponse:
            return await self.regional.call_api(request, scope, receive)

        def admit(head: HttpRequest) -> Serve | AsgiResponse:
            own = _EXECUTE_API_HOST.fullmatch(head.host)
            if own is None and (is_loopback(head.host) or head.host.endswith(_NAMES_OF_SERVICES)):
                return forbidden()
            if own is not None and own.group(2) != region:
                return forbidden()
            return call_api if to_its_api(head, region, self.regional.front.mapped) else forbidden()

        await _answer(scope, receive, send, admit)


@dataclass
class GlobalApp:
    """The global port: IAM, STS and Route 53, and beneath a path of its own the control of faults.

    Args:
        control: answers the control's paths, to whoever has the control's token.
        data_plane: answers those calls of Route 53 that ministack lacks, where ministack lets the caller
            make them; None leaves the answer to ministack as well.
    """

    front: FrontApp
    control: Serve
    data_plane: Handler
    region: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        serving.set(self.region)

        async def call_service(request: HttpRequest) -> AsgiResponse:
            try:
                claim = self.front.authenticate(request, _anywhere)
            except SignatureRefused as refused:
                return self.front.refuse(request, refused)
            if claim.service not in GLOBAL_SERVICES:
                return aws_error(
                    400, "InvalidEndpoint", "This port serves IAM, STS and Route 53; each region has its own."
                )
            verified.set(claim.access_key_id)
            self.front.begin(request)
            own = await self.data_plane(request) if claim.service == "route53" else None
            # Asked either way: ministack knows who may, also of calls that it has no other answer to.
            said = await self.front.forward(request, self.region, scope, receive)
            answered = without_cors(said if own is None or said.status == REFUSED else own)
            return self.front.keep(request, answered, claim)

        def admit(head: HttpRequest) -> Serve | AsgiResponse:
            if not is_loopback(head.host):
                return aws_error(REFUSED, "AccessDenied", "This port answers to a loopback name only.")
            if page := foreign_page(head):
                return page
            return self.control if head.path.startswith("/_payinfra/") else call_service

        await _answer(scope, receive, send, admit)


def _anywhere(claim: SignatureClaim) -> bool:
    """A global service is one for all regions, and STS answers at each region's endpoint on AWS."""
    del claim
    return True
