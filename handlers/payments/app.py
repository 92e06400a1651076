"""The routes: from an event of the gateway, of the table's stream or of an operator to its answer."""

import re
from collections.abc import Callable, Mapping
from typing import cast

from . import __version__, observe, operations, problems, request, router, validation
from .audit import AuditState
from .cards import has_card_number
from .config import Config
from .core import LATEST, Caller, Payment, idempotency_key
from .deadline import Overdue
from .evacuation import Evacuation
from .observe import Observer
from .problems import FieldError, Problem, Unavailable
from .recording import WRITE
from .request import Request
from .router import Answer, Asked, Origins
from .service import Index, Listing, Payments
from .stream import StreamReader

_WHOLE_NUMBERS = ("from", "to", "limit")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_EARLIEST = 1
_PAGE = 25
REGION_HEADER = "Payment-Region"
"""Names the region that served the request. A header: bodies are the same in both regions, to the letter."""
_EXPOSED = ("Idempotent-Replayed", "Location", REGION_HEADER, "Retry-After")
_ACCEPTED = ("Content-Type", "Idempotency-Key", "X-Api-Key")


class Application:
    """The API of one region, around its service.

    Args:
        audit: says how the latest write of an audit object ended here.
        ping: returns if the service could record a payment now, or raises Unavailable or Overdue; in less
            than a second, whatever the table does.
        flag: says whether the other region is evacuated, or raises Unavailable or Overdue.
        fail_back: evacuates the other region if the name has moved here; None if names return by themselves.
        held_back: says since when the other region has kept the name, for the first two minutes, else
            nothing; None if names return by themselves.
    """

    def __init__(
        self,
        config: Config,
        payments: Payments,
        stream: StreamReader,
        observer: Observer,
        *,
        audit: Callable[[], AuditState],
        ping: Callable[[], None],
        flag: Callable[[], Evacuation | None],
        fail_back: Callable[[], Evacuation | None] | None = None,
        held_back: Callable[[], str] | None = None,
    ) -> None:
        self._config = config
        self._payments = payments
        self._stream = stream
        self._observer = observer
        self._audit = audit
        self._ping = ping
        self._flag = flag
        self._fail_back = fail_back
        self._held_back = held_back
        self._origins = Origins(config.cors_origins, _EXPOSED, _ACCEPTED)

    def answer(self, event: Mapping[str, object]) -> dict[str, object]:
        """The gateway's answer to one event; never raises."""
        sent = request.read(event)
        self._observer.begin(sent.correlation_id)
        headers: Mapping[str, str] = {}
        try:
            asked = router.route(event, next(iter(sent.headers.get("origin", ())), None))
            headers = self._origins.headers(asked)
            answer = self._origins.preflight(asked) or self._serve(asked, sent)
        except Exception as error:  # noqa: BLE001 - the last resort, or the gateway answers without a problem
            self._note_bug(error)
            answer = _problem(problems.unexpected(), sent)
        self._observer.end(answer.status)
        # Payments are nobody's to keep on the way.
        ours = {"Cache-Control": "no-store", REGION_HEADER: self._config.region}
        return router.render(answer, {**headers, **ours})

    def watch(self, event: Mapping[str, object]) -> dict[str, object]:
        """Follow a batch of the table's stream: Lambda hands over again what follows the first failure."""
        self._observer.begin("stream")
        try:
            failed = self._stream.follow(event)
        finally:
            self._observer.flush()
        return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}

    def operate(self, event: Mapping[str, object], request_id: str) -> dict[str, object]:
        """Do what an operator or a worker asks by invoking the function."""
        self._observer.begin(request_id)
        self._observer.note(route="operation")
        status = 200
        try:
            return operations.perform(self._payments, event)
        except Problem as problem:
            status = problem.status
            self._observer.note(outcome="refused", problem=problem.kind)
            return operations.refusal(problem, request_id)
        except Unavailable as failure:
            self._note_unavailable(failure)
            status = 503
            return operations.refusal(problems.unavailable(), request_id)
        finally:
            self._observer.end(status)

    def _serve(self, asked: Asked, sent: Request) -> Answer:
        making = (asked.method, asked.route) == ("POST", "/payments")
        try:
            return self._route(asked, sent)
        except Problem as problem:
            self._observer.note(outcome="refused", problem=problem.kind)
            if making:
                self._observer.count(observe.REFUSED)
            return _problem(problem, sent)
        except Unavailable as failure:
            self._note_unavailable(failure)
            return _problem(problems.unavailable(), sent)

    def _route(self, asked: Asked, sent: Request) -> Answer:
        if asked.route is None:
            raise problems.no_route()
        allowed = router.METHODS[asked.route]
        if asked.method not in allowed:
            raise problems.wrong_method(allowed)
        self._observer.note(route=f"{asked.method} {asked.route}")
        match asked.method, asked.route:
            case "POST", _:
                return self._make(sent)
            case _, "/payments":
                return self._list(sent)
            case _, "/health":
                return self._health(sent)
            case _, "/evacuation":
                return self._evacuation()
            case _:
                return _json(200, self._payments.get(asked.payment_id).document())

    def _make(self, sent: Request) -> Answer:
        key = idempotency_key(sent.values("idempotency-key"))
        source_ip = sent.source_ip if self._config.keep_source_ip else None
        caller = Caller(sent.correlation_id, sent.api_key_id, source_ip)
        made = self._payments.make(key, sent.json_body(), caller)
        if made.payment.is_test:
            outcome, event = "tested", observe.TESTED
        elif made.replayed:
            outcome, event = "replayed", observe.REPLAYED
        else:
            outcome, event = "accepted", observe.RECORDED
        self._observer.note(outcome=outcome)
        self._observer.count(event)
        if event == observe.RECORDED and self._was_moved(sent):
            self._observer.count(observe.FAILOVER)
        headers = {"Location": f"payments/{made.payment.payment_id}"}
        if made.replayed:
            headers["Idempotent-Replayed"] = "true"
        return _json(200 if made.replayed else 201, made.payment.document(), headers)

    def _was_moved(self, sent: Request) -> bool:
        """Whether a client is here because its name leads here, and not to the primary region.

        Where requests do not carry the name, whoever comes to the standby is taken to be moved.
        """
        config = self._config
        if config.primary_region in ("", config.region):
            return False
        return not config.failover_domain or config.failover_domain in sent.values("host")

    def _list(self, sent: Request) -> Answer:
        listing, limit, cursor = _read_query(sent)
        found, following = self._payments.list(listing, limit, cursor)
        return _json(200, _page_document(found, following))

    def _health(self, sent: Request) -> Answer:
        state: dict[str, object] = {"region": self._config.region, "version": __version__}
        try:
            self._ping()
        except (Unavailable, Overdue) as failure:
            unavailable = failure if isinstance(failure, Unavailable) else Unavailable("table", "Overdue")
            self._note_unavailable(unavailable)
            failed = {WRITE: "refused"} if unavailable.dependency == WRITE else {"table": "unreachable"}
            return _problem(problems.unavailable(), sent, {**state, "checks": failed})
        # A payment is taken without its audit object, which the stream writes later: 503 would move customers
        # for what another region may not do better. So the page tells, the alarm rings, and a person decides.
        checks = {"table": "ok", WRITE: "ok", "audit": self._audit().value}
        if self._held_back is not None and (since := self._held_back()):
            self._observer.note(outcome="held back", since=since)
            return _problem(problems.held_back(), sent, {**state, "checks": checks, "evacuated": since})
        self._observer.leave_out()
        return _json(200, {"status": "ok", **state, "checks": checks})

    def _evacuation(self) -> Answer:
        """The other region's evacuation: 200 only while the flag says so, for health checkers rely on it."""
        found = self._flag()
        if found is None and self._fail_back is not None and (found := self._fail_back()) is not None:
            self._observer.tell("evacuated by the fail-back rule", evacuated=found.region, since=found.since)
        if found is None:
            self._observer.leave_out()
            raise problems.not_evacuated()
        if not found.is_drill:
            self._observer.count(observe.FAILOVER)
        return _json(200, {"evacuated": found.region, "since": found.since})

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
    known = cast(Mapping[str, object], validation.load("query")["properties"])
    for place, (name, given) in enumerate(asked.query.items(), start=1):
        if name not in known:
            # A name that the client made up is not repeated.
            errors.append(FieldError(f"(parameter {place})", "is not a known parameter"))
        elif len(given) != 1:
            errors.append(FieldError(name, "must be there once"))
        else:
            values[name] = _typed(name, given[0])
    errors += (
        FieldError(error.field.removeprefix("/"), error.detail) for error in validation.check("query", values)
    )
    if has_card_number(str(values.get("customer_id", ""))):
        errors.append(FieldError("customer_id", "must not contain what looks like a card number"))
    by = [index for index in Index if index.value in asked.query]
    if len(by) != 1:
        errors.append(FieldError("status", "exactly one of status and customer_id must be there"))
    if errors:
        raise problems.invalid(tuple(errors))
    listing = Listing(
        index=by[0],
        value=cast(str, values[by[0].value]),
        earliest=cast(int, values.get("from", _EARLIEST)),
        latest=cast(int, values.get("to", LATEST)),
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


def _json(status: int, document: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, "application/json", document, headers or {})


def _problem(problem: Problem, sent: Request, more: Mapping[str, object] | None = None) -> Answer:
    document = {**problem.document(sent.correlation_id), **(more or {})}
    return Answer(problem.status, problems.MEDIA_TYPE, document, problem.headers)
