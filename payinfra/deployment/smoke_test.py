"""Payments through the regions' APIs: one through each, read in the other; or one through a single region.

They are canaries, and are deleted as soon as they have been read.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from payinfra.clients import canary
from payinfra.clients.aws import Aws
from payinfra.core.errors import GateFailed
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.core.run_id import user_agent

SEEN_WITHIN_S = 30.0
"""How long a payment may take to reach the other region; DynamoDB replicates within seconds as a rule."""


@dataclass(frozen=True)
class SmokeTestResult:
    """A payment written in one region and read in the other, `lag_s` seconds later."""

    written_in: str
    read_in: str
    payment_id: str
    lag_s: float


class _NotYet(Exception):
    """The API did not answer as it should, this time."""


def cross_region_payments(
    outputs: Outputs,
    aws: Aws,
    *,
    http: httpx.Client | None = None,
    within_s: float = SEEN_WITHIN_S,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> tuple[SmokeTestResult, SmokeTestResult]:
    """Send a payment through each region and read it in the other.

    Raises:
        GateFailed: a region refused the payment, or the other did not show it within `within_s` seconds.
    """
    env = outputs.environment_suffix
    with http or httpx.Client(timeout=10.0, headers={"User-Agent": user_agent()}) as client:
        keys = {region.region: _api_key(aws, region) for region in (outputs.primary, outputs.secondary)}

        def prove(here: RegionOutputs, there: RegionOutputs) -> SmokeTestResult:
            polls = _polling(within_s, sleep)
            asked = _payment(here, keys[here.region], env, now)
            try:
                answer = polls(_expect, client, *asked, (200, 201))
                payment_id = str(answer["payment_id"])
                written = time.monotonic()
                with _removed(aws, here, payment_id):
                    seen = polls(_expect, client, *_reading(there, keys[there.region], payment_id), (200,))
                    lag_s = time.monotonic() - written
            except (_NotYet, httpx.TransportError) as error:
                raise GateFailed(
                    f"A payment sent through {here.region} was not read back in {there.region}: {error}",
                    f"Look at the function's log group {here.lambda_log_group_name} in {here.region}.",
                ) from None
            if seen != answer:
                raise GateFailed(f"Payment {payment_id} differs between {here.region} and {there.region}.")
            return SmokeTestResult(here.region, there.region, payment_id, lag_s)

        return prove(outputs.primary, outputs.secondary), prove(outputs.secondary, outputs.primary)


def payment_in_region(
    region: RegionOutputs,
    aws: Aws,
    *,
    env: str,
    http: httpx.Client,
    within_s: float,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> str:
    """Ask a region's health page, then send a payment through the region and read it there; its id.

    Raises:
        GateFailed: one of these was not answered as it should be within `within_s` seconds.
    """
    polls = _polling(within_s, sleep)
    try:
        polls(_expect, http, "GET", health_url(region), {}, None, (200,))
        key = _api_key(aws, region)
        paid = polls(_expect, http, *_payment(region, key, env, now), (200, 201))
        payment_id = str(paid["payment_id"])
        with _removed(aws, region, payment_id):
            polls(_expect, http, *_reading(region, key, payment_id), (200,))
    except (_NotYet, httpx.TransportError) as error:
        raise GateFailed(
            f"{region.region} does not serve payments: {error}",
            f"Look at the function's log group {region.lambda_log_group_name} in {region.region}.",
        ) from None
    return payment_id


def health_url(region: RegionOutputs) -> str:
    """The health page beside the payments."""
    return f"{region.api_endpoint.removesuffix('/payments')}/health"


_Request = tuple[str, str, dict[str, str], dict[str, object] | None]


@contextlib.contextmanager
def _removed(aws: Aws, region: RegionOutputs, payment_id: str) -> Iterator[None]:
    """Delete a payment when the block ends.

    What cannot be deleted proves nothing less: it stays, and a later `verify` tries again.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    finally:
        with contextlib.suppress(BotoCoreError, ClientError):
            canary.remove(aws.dynamodb(region.region), region.dynamodb_table_name, payment_id)


def _payment(region: RegionOutputs, key: str, env: str, now: Callable[[], float]) -> _Request:
    """A payment of one cent. The same key and body however often: a retry cannot make a second payment."""
    headers = {"x-api-key": key, "Idempotency-Key": f"{canary.CANARY}-{uuid.uuid4()}"}
    body: dict[str, object] = {
        "amount": 1,
        "currency": "USD",
        "customer_id": canary.customer(env),
        "payment_method": "wallet",
        "timestamp": int(now() * 1000),
        "metadata": {"environment": env},
    }
    return "POST", region.api_endpoint, headers, body


def _reading(region: RegionOutputs, key: str, payment_id: str) -> _Request:
    return "GET", f"{region.api_endpoint}/{payment_id}", {"x-api-key": key}, None


def _polling(within_s: float, sleep: Callable[[float], None]) -> Retrying:
    return Retrying(
        retry=retry_if_exception_type((_NotYet, httpx.TransportError)),
        stop=stop_after_delay(within_s),
        wait=wait_exponential(multiplier=0.1, max=2.0),
        sleep=sleep,
        reraise=True,
    )


def _api_key(aws: Aws, region: RegionOutputs) -> str:
    """The API key's value; it goes into a header and nowhere else."""
    answer = aws.ssm(region.region).get_parameter(Name=region.api_key_parameter, WithDecryption=True)
    return answer["Parameter"]["Value"]


def _expect(
    client: httpx.Client,
    method: str,
    url: str,
    headers: dict[str, str],
    body: dict[str, object] | None,
    wanted: tuple[int, ...],
) -> dict[str, object]:
    response = client.request(method, url, headers=headers, json=body)
    if response.status_code not in wanted:
        raise _NotYet(f"{method} {url} answered {response.status_code}: {response.text[:200]}")
    answer: dict[str, object] = response.json()
    return answer
