"""What probes write, and how it is removed: every canary carries the environment and the run's id.

Audit objects of canaries are below a prefix of their own, and named after when their run began.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.probes.model import ProbeContext, RegionUnderTest
from payinfra.clients import canary
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.canary import CANARY
from payinfra.clients.http import HttpResponse
from payinfra.clients.payments_api import PaymentRequest
from payinfra.core.naming import CUSTOMER_INDEX, objects_of_tests

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ResourceRecordSetTypeDef

LEFT_OVER_AFTER = timedelta(minutes=10)
"""A canary that is older than this belongs to no run that still goes on."""
SWEEP_S = 5.0
PAYMENT = "pay_"
"""How the id of a payment begins, and with it the name of its audit object (docs/openapi.json)."""


def new_run() -> str:
    """An id for a run."""
    return uuid.uuid4().hex[:12]


def customer(live: ProbeContext) -> str:
    """The customer of all canary payments of an environment."""
    return canary.customer(live.outputs.environment_suffix)


def payment(live: ProbeContext, where: str) -> PaymentRequest:
    """A canary payment of this run."""
    return canary.payment(
        live.outputs.environment_suffix,
        f"{live.run}-{where}",
        milliseconds(live.began),
        {"canary": live.run},
        live.declared.canary,
    )


def id_of(live: ProbeContext, paid: HttpResponse) -> str:
    """The id of a canary payment, by the answer to it.

    Raises:
        NotYet: the answer names none, so that nothing can be looked for by it.
    """
    name = live.declared.canary.id_field
    found = paid.fields().get(name)
    if not found:
        raise NotYet(f"the answer to POST /payments names no payment in {name}")
    return str(found)


def remove_payment(live: ProbeContext, site: RegionUnderTest, payment_id: str) -> None:
    """Delete a canary payment's items in one region; replication deletes them in the other."""
    if not payment_id:
        return
    canary.remove(live.aws.dynamodb(site.region), site.outputs.dynamodb_table_name, payment_id)


def remove_left_over(live: ProbeContext, within_s: float = SWEEP_S, *, without: Sequence[str] = ()) -> None:
    """Remove what this run has left, and runs that were killed, as far as the regions let it.

    What does not answer is not waited for longer than `within_s` seconds.

    Args:
        without: regions that are left alone: they are known to answer nothing.
    """
    sweeps = [Thread(target=_sweep, args=(sweep,), daemon=True) for sweep in _sweeps(live, without)]
    for sweep in sweeps:
        sweep.start()
    ends = time.monotonic() + within_s
    for sweep in sweeps:
        sweep.join(max(0.0, ends - time.monotonic()))


def _sweeps(live: ProbeContext, without: Sequence[str]) -> tuple[Callable[[], None], ...]:
    sites = (site for site in live.sites if site.region not in without)
    return (*(partial(_remove_left_in, live, site) for site in sites), partial(remove_records, live))


def _sweep(sweep: Callable[[], None]) -> None:
    with contextlib.suppress(ClientError, BotoCoreError):
        sweep()


def _remove_left_in(live: ProbeContext, site: RegionUnderTest) -> None:
    for payment_id in left_over_payments(live, site):
        remove_payment(live, site, payment_id)
    remove_left_over_objects(live, site)


def left_over_payments(live: ProbeContext, site: RegionUnderTest) -> tuple[str, ...]:
    """The canary payments of this run, and of runs that cannot go on any more."""
    pages = (
        live.aws.dynamodb(site.region)
        .get_paginator("query")
        .paginate(
            TableName=site.outputs.dynamodb_table_name,
            IndexName=CUSTOMER_INDEX,
            KeyConditionExpression="customer_id = :customer",
            ExpressionAttributeValues={":customer": {"S": customer(live)}},
        )
    )
    return tuple(
        item["payment_id"]["S"]
        for page in pages
        for item in page["Items"]
        if _is_left_over(live, int(item["timestamp"]["N"]))
    )


def _is_left_over(live: ProbeContext, written_ms: int) -> bool:
    """Whether a canary that was written then is this run's, or a run's that cannot go on any more."""
    return written_ms == milliseconds(live.began) or written_ms < milliseconds(live.began - LEFT_OVER_AFTER)


def milliseconds(moment: datetime) -> int:
    """A moment as payments write it: milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def objects_of_run(live: ProbeContext) -> str:
    """Where this run's objects are in the audit buckets: those of its payments, as the function names them,
    and its own."""
    return f"{objects_of_tests(customer(live))}{milliseconds(live.began)}/"


def remove_versions(live: ProbeContext, site: RegionUnderTest, prefix: str) -> None:
    """Delete every version, and every delete marker, below a prefix of a region's audit bucket."""
    canary.remove_versions(
        live.aws.s3(site.region),
        site.outputs.s3_bucket_name,
        prefix,
        locked=live.declared.retention.object_lock is not None,
    )


def remove_left_over_objects(live: ProbeContext, site: RegionUnderTest) -> None:
    """Delete the canary objects of this run, of runs that cannot go on any more, and of payments that are
    not there any more."""
    prefix = objects_of_tests(customer(live))
    pages = live.aws.s3(site.region).get_paginator("list_object_versions")
    names = {
        one.get("Key", "")
        for page in pages.paginate(Bucket=site.outputs.s3_bucket_name, Prefix=prefix)
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    }
    for name in sorted(names):
        written, _, rest = name.removeprefix(prefix).partition("/")
        is_over = not written.isdigit() or _is_left_over(live, int(written))
        if is_over or (rest.startswith(PAYMENT) and not _is_there(live, site, rest)):
            remove_versions(live, site, name)


def _is_there(live: ProbeContext, site: RegionUnderTest, name: str) -> bool:
    """Whether the payment is in the table that an object is named after."""
    found = live.aws.dynamodb(site.region).query(
        TableName=site.outputs.dynamodb_table_name,
        KeyConditionExpression="payment_id = :id",
        ExpressionAttributeValues={":id": {"S": name.partition("-")[0]}},
        ConsistentRead=True,
    )
    return bool(found["Items"])


def item(live: ProbeContext, site: RegionUnderTest) -> dict[str, dict[str, str]]:
    """An item for the table that is no payment. The index by customer has it, to find what is left over."""
    return {
        "payment_id": {"S": f"{CANARY}-{live.outputs.environment_suffix}-{live.run}-{site.region}"},
        "timestamp": {"N": str(milliseconds(live.began))},
        "canary": {"S": live.run},
        "customer_id": {"S": customer(live)},
    }


def record(live: ProbeContext) -> "ResourceRecordSetTypeDef":
    """A record of this run."""
    env, name = live.outputs.environment_suffix, live.outputs.failover_domain
    return canary.record(env, name, live.run, milliseconds(live.began))


def remove_records(live: ProbeContext) -> None:
    """Delete the zone's canaries of this run, and of runs that cannot go on any more."""
    canary.remove_records(
        live.aws.route53(live.outputs.primary_region),
        live.outputs.hosted_zone_id,
        live.outputs.environment_suffix,
        live.outputs.failover_domain,
        partial(_is_left_over, live),
    )
