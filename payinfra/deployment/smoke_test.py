"""Payments through the regions' APIs: one through each, read in the other; or one through a single region.

They are canaries, and are deleted as soon as they have been read.
"""

import contextlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx

from payinfra.clients import canary
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.http import HttpResponse, HttpxHttp, make_client
from payinfra.clients.payments_api import (
    KEY_KNOWN_WITHIN_S,
    OK,
    AskedToRetry,
    KeyRefused,
    PaymentRequest,
    PaymentsApi,
    health_url,
    read_api_key,
)
from payinfra.clients.retry import Deadline
from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.errors import GateFailed
from payinfra.core.json_text import parse_json
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.payments.log_events import LogSource

ANSWERS_WITHIN_S = 10.0
REASONS = 3
"""How many of the reasons in the function's log are told."""
SEEN_WITHIN_S = 30.0
"""How long a payment may take to reach the other region; DynamoDB replicates within seconds as a rule."""
KEY_PAUSE_S = 1.0
RETRIED_FOR_S = 120.0
"""How long a region may answer 503, and so ask for the same payment again, right after a deployment. On AWS
that ends in seconds. On one machine all of the functions' processes start at once, and share its processors
with the table that they ask."""


@dataclass(frozen=True)
class SmokeTestResult:
    """A payment written in one region and read in the other, `lag_s` seconds later."""

    written_in: str
    read_in: str
    payment_id: str
    lag_s: float


def cross_region_payments(
    outputs: Outputs,
    aws: Aws,
    *,
    http: httpx.Client | None = None,
    within_s: float = SEEN_WITHIN_S,
    key_known_within_s: float = KEY_KNOWN_WITHIN_S,
    retried_for_s: float = RETRIED_FOR_S,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> tuple[SmokeTestResult, SmokeTestResult]:
    """Send a payment through each region and read it in the other.

    Raises:
        GateFailed: a region refused the payment, answered 503 for `retried_for_s` seconds, or the other did
            not show it within `within_s` seconds.
    """
    waits = _Waits(within_s, key_known_within_s, sleep, retried_for_s)
    began_ms = int(now() * 1000)
    with http or make_client(ANSWERS_WITHIN_S) as client:
        apis = {region.region: _api(client, aws, region) for region in outputs.regions}

        contract = outputs.canary

        def cross(here: RegionOutputs, there: RegionOutputs) -> SmokeTestResult:
            payment = _payment(outputs.environment_suffix, now, contract)
            try:
                with _removed(aws, here, payment) as sent:
                    paid = _poll(lambda: apis[here.region].pay(payment), waits).fields()
                    written = time.monotonic()
                    sent.payment_id = _id_in(paid, contract)
                    seen = _poll(lambda: apis[there.region].read(sent.payment_id), waits).fields()
                    lag_s = time.monotonic() - written
            except (NotYet, httpx.TransportError) as error:
                raise GateFailed(
                    f"A payment sent through {here.region} was not read back in {there.region}: {error}",
                    _where_to_look(aws, here, began_ms),
                ) from None
            if not _agree(paid, seen, contract):
                raise GateFailed(
                    f"Payment {sent.payment_id} differs between {here.region} and {there.region}."
                )
            return SmokeTestResult(here.region, there.region, sent.payment_id, lag_s)

        return cross(outputs.primary, outputs.secondary), cross(outputs.secondary, outputs.primary)


def payment_in_region(
    region: RegionOutputs,
    aws: Aws,
    *,
    env: str,
    http: httpx.Client,
    within_s: float,
    key_known_within_s: float = KEY_KNOWN_WITHIN_S,
    contract: CanaryContract = PAYMENTS,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> str:
    """Ask a region's health page, then send a payment through the region and read it there; its id.

    Args:
        region: the region.
        aws: where its API key is, and its table.
        env: the environment's name.
        http: sends the requests.
        within_s: the longest that each answer is waited for, in seconds.
        contract: what a payment looks like.
        sleep: waits for that many seconds.
        now: tells seconds since 1970.

    Raises:
        GateFailed: one of these was not answered as it should be within `within_s` seconds.
    """
    waits = _Waits(within_s, key_known_within_s, sleep)
    try:
        _poll(lambda: _healthy(PaymentsApi(HttpxHttp(http), region.api_endpoint)), waits)
        api, payment = _api(http, aws, region), _payment(env, now, contract)
        with _removed(aws, region, payment) as sent:
            sent.payment_id = _id_in(_poll(lambda: api.pay(payment), waits).fields(), contract)
            _poll(lambda: api.read(sent.payment_id), waits)
    except (NotYet, httpx.TransportError) as error:
        raise GateFailed(
            f"{region.region} does not serve payments: {error}",
            f"Look at the function's log group {region.lambda_log_group_name} in {region.region}.",
        ) from None
    return sent.payment_id


@dataclass
class _Sent:
    """A payment that was sent: its id follows from its key, and an answer confirms it."""

    payment_id: str


@contextlib.contextmanager
def _removed(aws: Aws, region: RegionOutputs, payment: PaymentRequest) -> Iterator[_Sent]:
    """Delete a payment when the block ends, also where its answer was lost on the way.

    A payment that cannot be deleted disproves nothing: it stays, and a later `verify` tries again.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    sent = _Sent(payment.payment_id)
    try:
        yield sent
    finally:
        with contextlib.suppress(BotoCoreError, ClientError):
            canary.remove(aws.dynamodb(region.region), region.dynamodb_table_name, sent.payment_id)


def _api(http: httpx.Client, aws: Aws, region: RegionOutputs) -> PaymentsApi:
    return PaymentsApi(HttpxHttp(http), region.api_endpoint, read_api_key(aws, region))


def _payment(env: str, now: Callable[[], float], contract: CanaryContract) -> PaymentRequest:
    return canary.payment(env, str(uuid.uuid4()), int(now() * 1000), {}, contract)


def _agree(paid: Mapping[str, object], seen: Mapping[str, object], contract: CanaryContract) -> bool:
    """Whether two regions say the same of a payment.

    Of an API of somebody's own it is not known that both answers have the same fields: those that both have
    are compared.
    """
    both = paid.keys() & seen.keys() if contract.is_own else paid.keys() | seen.keys()
    return all(paid.get(name) == seen.get(name) for name in both)


@dataclass(frozen=True)
class _Waits:
    """How long an answer is waited for, a key to be known to the API, and an end of 503; in seconds."""

    within_s: float
    key_known_within_s: float
    sleep: Callable[[float], None]
    retried_for_s: float = 0.0


def _poll(ask: Callable[[], HttpResponse], waits: _Waits) -> HttpResponse:
    """Ask until it is answered, for as long as a wait may take once the API knows the key and can serve."""
    patience: dict[type[BaseException], Deadline] = {
        KeyRefused: Deadline.within(max(waits.within_s, waits.key_known_within_s), sleep=waits.sleep),
        AskedToRetry: Deadline.within(max(waits.within_s, waits.retried_for_s), sleep=waits.sleep),
    }

    def asked() -> HttpResponse:
        return Deadline.within(waits.within_s, sleep=waits.sleep).poll(ask, first_pause_s=0.1)

    return max(patience.values(), key=lambda one: one.ends).poll(
        asked,
        retry_if=lambda failure: type(failure) in patience and patience[type(failure)].left_s > 0,
        first_pause_s=KEY_PAUSE_S,
        longest_pause_s=KEY_PAUSE_S,
    )


def _where_to_look(aws: Aws, region: RegionOutputs, since_ms: int) -> str:
    """The function's log group, and what the function logged there as the reason of its refusals."""
    from botocore.exceptions import BotoCoreError, ClientError

    where = f"Look at the function's log group {region.lambda_log_group_name} in {region.region}."
    reasons: Counter[str] = Counter()
    try:
        source = LogSource(region.region, region.lambda_log_group_name, aws.logs(region.region))
        for event in source.events(since_ms):
            if reason := _reason_in(event.message):
                reasons[reason] += 1
    except (BotoCoreError, ClientError):
        return where
    said = ", ".join(f"{reason} ({times} times)" for reason, times in reasons.most_common(REASONS))
    return f"{where} It says: {said}." if said else where


def _reason_in(message: str) -> str:
    """Which service the function could not use, and the error's code, if a line of its log tells of that."""
    try:
        line = parse_json(message)
    except ValueError:
        return ""
    match line:
        case {"dependency": str(dependency), "reason": str(reason)}:
            return f"{dependency} {reason}"
        case _:
            return ""


def _healthy(api: PaymentsApi) -> HttpResponse:
    answer = api.health()
    if answer.status != OK:
        raise NotYet(f"GET {health_url(api.url)} answered {answer.said()}")
    return answer


def _id_in(paid: Mapping[str, object], contract: CanaryContract) -> str:
    """The id of the payment that an answer is about."""
    if not paid.get(contract.id_field):
        raise NotYet(f"the answer to POST /payments names no payment in {contract.id_field}")
    return str(paid[contract.id_field])
