"""The routes: from an event of the gateway to its answer, with Powertools' resolver."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response

from . import __version__, conflicts, observe, problems, request, validation
from .config import Config
from .core import Payment, idempotency_key
from .observe import Observer
from .problems import FieldError, Problem, Unavailable
from .request import Request
from .service import Index, Listing, Payments

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_ROUTES = {
    "/payments": ("GET", "POST"),
    "/payments/{payment_id}": ("GET",),
    "/health": ("GET",),
}
_WHOLE_NUMBERS = ("from", "to", "limit")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_EARLIEST = 1
_LATEST = 253_402_300_799_999  # the end of the year 9999, as in the schema
_PAGE = 25
REGION_HEADER = "Payment-Region"
"""Names the region that served the request. A header: bodies are the same in both regions, to the letter."""
_EXPOSED = ["Idempotent-Replayed", "Location", REGION_HEADER, "Retry-After"]


class Application:
    """The API of one region, around its service."""

    def __init__(self, config: Config, payments: Payments, observer: Observer) -> None:
        self._config = config
        self._payments = payments
        self._observer = observer
        self._request = request.read({})
        self._making = False
        self._resolver = self._routes()

    def answer(self, event: dict[str, object], context: "LambdaContext") -> dict[str, object]:
        """The gateway's answer to one event; never raises."""
        self._request = request.read(event)
        self._making = False
        self._observer.begin(self._request.correlation_id)
        try:
            answer = cast(dict[str, object], self._resolver.resolve(event, context))
        except Exception as error:  # noqa: BLE001 - the last resort, or the gateway answers without a problem
            self._note_bug(error)
            answer = _bare(problems.unexpected())
        cast(dict[str, list[str]], answer["multiValueHeaders"])[REGION_HEADER] = [self._config.region]
        self._observer.end(cast(int, answer["statusCode"]))
        return answer

    def watch(self, event: Mapping[str, object]) -> dict[str, object]:
        """Look through records of the table's stream for conflicts; never asks for them again."""
        self._observer.begin("stream")
        for payment_id in conflicts.conflicting_ids(event):
            self._observer.conflict(payment_id)
        self._observer.flush()
        return {"batchItemFailures": []}

    def _routes(self) -> APIGatewayRestResolver:
        resolver = APIGatewayRestResolver(cors=_cors(self._config.cors_origins), debug=False)
        resolver.post("/payments")(self._make)
        resolver.get("/payments")(self._list)
        resolver.get("/payments/<payment_id>")(self._get)
        resolver.get("/health")(self._health)
        resolver.not_found(self._no_route)
        resolver.exception_handler(Problem)(self._refuse)
        resolver.exception_handler(Unavailable)(self._unavailable)
        resolver.exception_handler(Exception)(self._bug)
        return resolver

    def _make(self) -> Response[str]:
        self._making = True
        self._observer.note(route="POST /payments")
        key = idempotency_key(self._request.headers.get("idempotency-key", ()))
        made = self._payments.make(key, self._request.json_body())
        self._observer.note(outcome="replayed" if made.replayed else "accepted")
        self._observer.count(observe.REPLAYED if made.replayed else observe.RECORDED)
        headers = {"Location": f"payments/{made.payment.payment_id}"}
        if made.replayed:
            headers["Idempotent-Replayed"] = "true"
        return _json(200 if made.replayed else 201, made.payment.document(), headers)

    def _get(self, payment_id: str) -> Response[str]:
        self._observer.note(route="GET /payments/{payment_id}")
        return _json(200, self._payments.get(payment_id).document())

    def _list(self) -> Response[str]:
        self._observer.note(route="GET /payments")
        listing, limit, cursor = _read_query(self._request)
        found, following = self._payments.list(listing, limit, cursor)
        return _json(200, _page_document(found, following))

    def _health(self) -> Response[str]:
        self._observer.note(route="GET /health")
        state: dict[str, object] = {"region": self._config.region, "version": __version__}
        try:
            self._payments.ping()
        except Unavailable as failure:
            self._note_unavailable(failure)
            return _problem(problems.unavailable(), {**state, "checks": {"table": "unreachable"}})
        return _json(200, {"status": "ok", **state, "checks": {"table": "ok"}})

    def _no_route(self, _error: Exception) -> Response[str]:
        event = self._resolver.current_event
        path, method = event.path, event.http_method
        resource = "/payments/{payment_id}" if path.startswith("/payments/") else path
        allowed = _ROUTES.get(resource, ())
        known = bool(allowed) and method not in allowed
        return self._refuse(problems.wrong_method(allowed) if known else problems.no_route())

    def _refuse(self, problem: Problem) -> Response[str]:
        self._observer.note(outcome="refused", problem=problem.kind)
        if self._making:
            self._observer.count(observe.REFUSED)
        return _problem(problem)

    def _unavailable(self, failure: Unavailable) -> Response[str]:
        self._note_unavailable(failure)
        return _problem(problems.unavailable())

    def _bug(self, error: Exception) -> Response[str]:
        self._note_bug(error)
        return _problem(problems.unexpected())

    def _note_bug(self, error: Exception) -> None:
        self._observer.bug(error)
        self._observer.note(outcome="failed")
        self._observer.count(observe.FAILED)

    def _note_unavailable(self, failure: Unavailable) -> None:
        self._observer.note(outcome="unavailable", dependency=failure.dependency, reason=failure.reason)
        self._observer.count(observe.UNAVAILABLE)


def _read_query(asked: Request) -> tuple[Listing, int, str | None]:
    """The list that the query asks for.

    Raises:
        Problem: 422 with every parameter that is not as it has to be.
    """
    errors: list[FieldError] = []
    values: dict[str, object] = {}
    for name, given in asked.query.items():
        if len(given) != 1:
            errors.append(FieldError(name[:64], "must be there once"))
        else:
            values[name] = _typed(name, given[0])
    errors += (
        FieldError(error.field.removeprefix("/"), error.detail) for error in validation.check("query", values)
    )
    by = [index for index in Index if index.value in asked.query]
    if len(by) != 1:
        errors.append(FieldError("status", "exactly one of status and customer_id must be there"))
    if errors:
        raise problems.invalid(tuple(errors))
    listing = Listing(
        index=by[0],
        value=cast(str, values[by[0].value]),
        earliest=cast(int, values.get("from", _EARLIEST)),
        latest=cast(int, values.get("to", _LATEST)),
    )
    if listing.earliest > listing.latest:
        raise problems.invalid((FieldError("from", "must not be after to"),))
    return listing, cast(int, values.get("limit", _PAGE)), cast(str | None, values.get("cursor"))


def _typed(name: str, value: str) -> object:
    """Numbers as numbers; anything else stays text, which the schema then refuses for what it is."""
    return int(value) if name in _WHOLE_NUMBERS and _WHOLE_NUMBER.match(value) else value


def _page_document(found: tuple[Payment, ...], following: str | None) -> dict[str, object]:
    document: dict[str, object] = {"payments": [payment.document() for payment in found]}
    if following is not None:
        document["next_cursor"] = following
    return document


def _cors(origins: tuple[str, ...]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origin=origins[0],
        extra_origins=list(origins[1:]),
        allow_headers=["Idempotency-Key"],
        expose_headers=_EXPOSED,
        max_age=600,
    )


def _json(
    status: int, document: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response[str]:
    return _response(status, "application/json", json.dumps(document), headers or {})


def _problem(problem: Problem, more: Mapping[str, object] | None = None) -> Response[str]:
    body = problem.body() if more is None else json.dumps({**json.loads(problem.body()), **more})
    return _response(problem.status, problems.MEDIA_TYPE, body, problem.headers)


def _response(status: int, media_type: str, body: str, headers: Mapping[str, str]) -> Response[str]:
    # Payments are nobody's to keep on the way.
    return Response(status, media_type, body, {"Cache-Control": "no-store", **headers})


def _bare(problem: Problem) -> dict[str, object]:
    """The gateway's form of a problem, made without the resolver, which has just failed."""
    return {
        "statusCode": problem.status,
        "multiValueHeaders": {"Content-Type": [problems.MEDIA_TYPE], "Cache-Control": ["no-store"]},
        "body": problem.body(),
        "isBase64Encoded": False,
    }
