"""The payments API, as a client of it: what a request holds, where it goes, and what counts as an answer.

docs/openapi.json describes the API. Smoke test, probes, canaries and key rotation make their requests here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from payinfra.clients.aws_errors import NotYet
from payinfra.core.canary_contract import AMOUNT, PAYMENTS, CanaryContract
from payinfra.core.outputs import RegionOutputs

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.clients.http import Http, HttpResponse

API_KEY_HEADER = "x-api-key"
IDEMPOTENCY_HEADER = "Idempotency-Key"
REGION_HEADER = "Payment-Region"
"""Names the region that answered."""
REPLAYED_HEADER = "Idempotent-Replayed"
"""Is there where the answer is an earlier request's."""

OK = 200
CREATED = 201
FORBIDDEN = 403
UNAVAILABLE = 503
RECORDED = (OK, CREATED)
"""A payment is recorded: just now (201), or by an earlier request with the same key (200)."""

KEY_KNOWN_WITHIN_S = 120.0
"""How long an API may refuse a new key, in seconds. AWS does not say; its users saw up to 40 s, and three
times that is waited for."""


class KeyRefused(NotYet):
    """The API refused the key (403): it is wrong, or the API has not heard of it yet."""


class AskedToRetry(NotYet):
    """The API cannot answer now, and asks for the same request again (503)."""


@dataclass(frozen=True)
class PaymentRequest:
    """A payment as its client sends it. The same request however often makes one payment.

    Attributes:
        key: its Idempotency-Key.
        body: the JSON object that is posted.
        contract: what its headers, its id and the answers to it are.
    """

    key: str
    body: Mapping[str, object]
    contract: CanaryContract = PAYMENTS

    @property
    def payment_id(self) -> str:
        """The id that the API gives the payment."""
        return self.contract.id_of(self.key)


def payment_id_of(key: str) -> str:
    """The id of the payment with this Idempotency-Key, as docs/openapi.json defines it."""
    return PAYMENTS.id_of(key)


def payment_body(
    customer_id: str, timestamp_ms: int, metadata: Mapping[str, str] | None = None
) -> dict[str, object]:
    """The body of a payment of one cent.

    Args:
        customer_id: by whom what is left over is found again.
        timestamp_ms: when it was made, in milliseconds since 1970.
        metadata: what tells it from others.
    """
    return {
        "amount": AMOUNT,
        "currency": "USD",
        "customer_id": customer_id,
        "payment_method": "wallet",
        "timestamp": timestamp_ms,
        "metadata": dict(metadata or {}),
    }


def payment_headers(api_key: str, idempotency_key: str) -> dict[str, str]:
    """The headers with which a payment is posted."""
    return {API_KEY_HEADER: api_key, IDEMPOTENCY_HEADER: idempotency_key}


def health_url(payments_url: str) -> str:
    """The URL of the health page, which is beside the payments."""
    return f"{payments_url.removesuffix('/payments')}/health"


def read_api_key(aws: "Aws", region: RegionOutputs) -> str:
    """The API key's value, from the region's parameter.

    Raises:
        ClientError, BotoCoreError: Systems Manager cannot be reached, or refuses.
    """
    answer = aws.ssm(region.region).get_parameter(Name=region.api_key_parameter, WithDecryption=True)
    return answer["Parameter"]["Value"]


@dataclass(frozen=True)
class PaymentsApi:
    """The payments API at one URL. Every method raises httpx.TransportError where nothing answers.

    Attributes:
        http: sends the requests.
        url: the URL that payments are POSTed to.
        key: the API key's value; it goes into a header and nowhere else. Without one, no key is sent.
        headers: for every request, such as Host.
        name: in front of every complaint, where the URL is not the regional endpoint.
    """

    http: "Http"
    url: str
    key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def health(self) -> "HttpResponse":
        """Get the health page; it takes no key."""
        return self.http.ask("GET", health_url(self.url), dict(self.headers))

    def get(self, payment_id: str) -> "HttpResponse":
        """Get a payment, whatever the answer."""
        return self.http.ask("GET", f"{self.url}/{payment_id}", {**self._key, **self.headers})

    def newest(self) -> "HttpResponse":
        """Get the newest accepted payment, in a list, whatever the answer."""
        return self.http.ask("GET", f"{self.url}?status=accepted&limit=1", {**self._key, **self.headers})

    def post(self, body: Mapping[str, object]) -> "HttpResponse":
        """Post a body without an idempotency key, whatever the answer."""
        return self.http.ask("POST", self.url, {**self._key, **self.headers}, body)

    def send(self, payment: PaymentRequest) -> "HttpResponse":
        """Send a payment, whatever the answer."""
        headers = {API_KEY_HEADER: self.key, **payment.contract.headers_of(payment.key), **self.headers}
        return self.http.ask("POST", self.url, headers, payment.body)

    def pay(self, payment: PaymentRequest) -> "HttpResponse":
        """Send a payment.

        Raises:
            KeyRefused: the API refused the key.
            AskedToRetry: it cannot answer now.
            NotYet: it was not recorded.
        """
        answer = self.send(payment)
        if not payment.contract.is_recorded(answer.status):
            raise _not_yet(answer.status, f"{self.name}POST /payments with the key answered {answer.said()}")
        return answer

    def read(self, payment_id: str) -> "HttpResponse":
        """Read a payment.

        Raises:
            KeyRefused: the API refused the key.
            AskedToRetry: it cannot answer now.
            NotYet: it is not there.
        """
        answer = self.get(payment_id)
        if answer.status != OK:
            raise _not_yet(answer.status, f"{self.name}GET /payments/{payment_id} answered {answer.said()}")
        return answer

    def read_newest(self) -> "HttpResponse":
        """List the newest accepted payment. Raises as `read`."""
        answer = self.newest()
        if answer.status != OK:
            raise _not_yet(answer.status, f"{self.name}GET /payments answered {answer.said()}")
        return answer

    @property
    def _key(self) -> dict[str, str]:
        return {API_KEY_HEADER: self.key} if self.key else {}


def _not_yet(status: int, what: str) -> NotYet:
    kinds = {FORBIDDEN: KeyRefused, UNAVAILABLE: AskedToRetry}
    return kinds.get(status, NotYet)(what)
