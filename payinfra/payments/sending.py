"""A payment that an operator sends through a region, as any client of the payments API would."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from payinfra.clients.payments_api import (
    API_KEY_HEADER,
    REGION_HEADER,
    REPLAYED_HEADER,
    PaymentRequest,
    PaymentsApi,
)
from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.outputs import RegionOutputs

if TYPE_CHECKING:
    from payinfra.clients.http import Http, HttpResponse

AMOUNT = 1250
CURRENCY = "EUR"
CUSTOMER = "cust-1"
METHOD = "card"
"""What a payment is of, where nothing else is said."""

KEY_VARIABLE = "API_KEY"
"""The variable of a shell that holds the API key in the commands that are shown."""

_KEY_REUSED = "idempotency-key-reused"
"""The problem of a key that belongs to another payment, as docs/payments-api.md names it."""


@dataclass(frozen=True)
class PaymentAnswer:
    """What the API answered.

    Attributes:
        seconds: from the request to the answer's last byte.
        region: the region that answered; empty where the answer names none, as the gateway's own.
        replayed: whether it is the answer of an earlier request with the same key.
        fields: the JSON object in its body; empty for any other body.
        text: its body.
        is_recorded: whether it says that the payment is recorded.
        is_refused: whether it says that sending the payment again is of no use.
        id_field: what a contract of one's own calls the payment's id; empty for the shipped API's.
    """

    status: int
    seconds: float
    region: str
    replayed: bool
    fields: Mapping[str, object]
    text: str
    is_recorded: bool
    is_refused: bool
    id_field: str = ""

    @classmethod
    def of(cls, answer: "HttpResponse", contract: CanaryContract = PAYMENTS) -> "PaymentAnswer":
        """What matters of an HTTP response.

        The shipped API tells a replay by a header. That of another contract may do it by the status alone.
        """
        headers, status = answer.headers, answer.status
        by_status = contract.is_own and contract.is_replayed(status) and not contract.is_accepted(status)
        return cls(
            status,
            answer.seconds,
            headers.get(REGION_HEADER, ""),
            headers.get(REPLAYED_HEADER, "") == "true" or by_status,
            answer.fields(),
            answer.text,
            contract.is_recorded(status),
            contract.is_refused(status),
            contract.id_field if contract.is_own else "",
        )

    @property
    def payment_id(self) -> str:
        """The id of the payment, by a contract's own name for it; empty where the answer has none."""
        found = self.fields.get(self.id_field)
        return "" if found is None else str(found)

    @property
    def says_what_is_wrong(self) -> bool:
        """Whether it names fields of the request that are not valid."""
        return bool(self.fields.get("errors"))

    @property
    def says_key_is_taken(self) -> bool:
        """Whether it says that the key belongs to another payment."""
        return str(self.fields.get("type", "")).endswith(f":{_KEY_REUSED}")


@dataclass(frozen=True)
class SentPayment:
    """A payment and what the API answered, each time that it was sent.

    Attributes:
        key: its Idempotency-Key.
        parameter: the parameter that holds the API key, whose value is not kept here.
    """

    env: str
    region: str
    url: str
    key: str
    parameter: str
    body: Mapping[str, object]
    answers: tuple[PaymentAnswer, ...]
    contract: CanaryContract = PAYMENTS

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers, with words in place of the API key."""
        return {
            **self.contract.headers_of(self.key),
            API_KEY_HEADER: f"the value of parameter {self.parameter} in {self.region}",
        }


def body(
    *,
    amount: int,
    currency: str,
    customer: str,
    method: str,
    timestamp_ms: int,
    description: str | None,
    metadata: Mapping[str, str],
) -> dict[str, object]:
    """The body of a payment; what is absent is left out."""
    found: dict[str, object] = {
        "amount": amount,
        "currency": currency,
        "customer_id": customer,
        "payment_method": method,
        "timestamp": timestamp_ms,
    }
    if description is not None:
        found["description"] = description
    if metadata:
        found["metadata"] = dict(metadata)
    return found


OF_A_PLACEHOLDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "amount": ("amount",),
        "customer": ("customer",),
        "timestamp": ("time", "time_iso"),
        "metadata": ("metadata",),
        "currency": (),
        "method": (),
        "description": (),
    }
)
"""Where a body of one's own holds what an option of `payinfra pay` says: one of these placeholders."""


def own_body(
    contract: CanaryContract,
    *,
    key: str,
    env: str,
    amount: int,
    customer: str,
    timestamp_ms: int,
    metadata: Mapping[str, str],
    given: Iterable[str] = (),
) -> dict[str, object]:
    """The body of a payment of an environment with a canary contract of its own.

    Args:
        contract: the environment's.
        given: the options, of `OF_A_PLACEHOLDER`, that the operator has given.

    Raises:
        UsageProblem: an option was given for which the body has no place.
    """
    lost = [name for name in given if not contract.placeholders.intersection(OF_A_PLACEHOLDER[name])]
    if lost:
        able = [name for name, those in OF_A_PLACEHOLDER.items() if contract.placeholders.intersection(those)]
        raise UsageProblem(
            f"The body of {env}'s payments has no place for {', '.join(f'--{name}' for name in lost)}.",
            "It is what [canary] of payinfra.toml said when the environment was deployed. It takes "
            f"{', '.join(f'--{name}' for name in able)}.",
        )
    return contract.body_of(
        key=key, customer=customer, timestamp_ms=timestamp_ms, env=env, metadata=metadata, amount=amount
    )


def send(
    env: str,
    region: RegionOutputs,
    request: PaymentRequest,
    http: "Http",
    *,
    api_key: str,
    times: int,
    timestamp_ms: int,
) -> SentPayment:
    """Send the same payment so many times, one after the other.

    Args:
        env: the environment's name, which the result carries.
        region: where to send it.
        request: what is sent.
        http: makes the requests.
        api_key: the value of the region's API key.
        times: how often it is sent, 1 or more.
        timestamp_ms: when the payment was made, in milliseconds since 1970; part of the request's body.

    Raises:
        EnvironmentUnusable: the region does not answer.
    """
    from httpx import TransportError

    api = PaymentsApi(http, region.api_endpoint, api_key)
    try:
        answers = tuple(PaymentAnswer.of(api.send(request), request.contract) for _ in range(times))
    except TransportError as error:
        raise EnvironmentUnusable(
            f"{region.region} does not answer at {region.api_endpoint}: {error}.",
            "Send the same payment through the other region: "
            f"--key {request.key} --timestamp {timestamp_ms}, and --region with its name.",
        ) from None
    return SentPayment(
        env,
        region.region,
        region.api_endpoint,
        request.key,
        region.api_key_parameter,
        request.body,
        answers,
        request.contract,
    )


def curl(url: str, request: PaymentRequest, key_command: str, times: int) -> str:
    """The lines of a shell that send a payment. The API key is in a variable, and in no line.

    Args:
        url: where payments are POSTed to.
        key_command: what prints the API key.
        times: how often the payment is sent.
    """
    words = (
        *("curl", "--include", "--request", "POST", shlex.quote(url)),
        *("--header", f'"{API_KEY_HEADER}: ${KEY_VARIABLE}"'),
        *(
            word
            for name, value in request.contract.headers_of(request.key).items()
            for word in ("--header", shlex.quote(f"{name}: {value}"))
        ),
        *("--header", shlex.quote("Content-Type: application/json")),
        *("--data", shlex.quote(json.dumps(request.body))),
    )
    return f"{KEY_VARIABLE}=$({key_command})\n" + f"{' '.join(words)}\n" * times
