"""Compares the table's payments with the audit buckets, and has what is missing written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from payinfra.core.errors import ExitCode
from payinfra.payments.function import FunctionOperations
from payinfra.payments.records import RecordedPayment, payments, prefixes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from payinfra.clients.aws import Aws
    from payinfra.core.outputs import Outputs, RegionOutputs

AT_ONCE = 50
"""Payments in one call of the function, which takes 100 at most and has a minute."""


@dataclass(frozen=True)
class AuditReconciliation:
    """What came of it.

    Attributes:
        env: the environment.
        from_ms, to_ms: the span of the payments' timestamps, both ends included.
        payments: how many payments there are.
        missing: the ids of those that lacked an audit object in both buckets.
        written: which of them have all of theirs now.
        not_copied: by region, the keys of objects that only the other region's bucket has.
    """

    env: str
    from_ms: int
    to_ms: int
    payments: int
    missing: tuple[str, ...]
    written: tuple[str, ...]
    not_copied: Mapping[str, tuple[str, ...]]

    @property
    def exit_code(self) -> ExitCode:
        """A gate that fails while an audit object is missing."""
        return ExitCode.GATE_FAILED if set(self.missing) - set(self.written) else ExitCode.DONE


def reconcile(
    outputs: "Outputs",
    aws: "Aws",
    from_ms: int,
    to_ms: int,
    *,
    write: bool,
    ask: Callable[["RegionOutputs"], FunctionOperations] | None = None,
) -> AuditReconciliation:
    """Look for the audit objects of all payments in a span, in both regions.

    Args:
        write: have the function write what is missing; else only look.
        ask: the function of a region; by default the deployed one.

    Raises:
        EnvironmentUnusable: the function failed.
        ClientError, BotoCoreError: AWS refuses, or a region does not answer.
    """
    found: dict[tuple[str, str], RecordedPayment] = {}
    for region in outputs.regions:
        table = region.dynamodb_table_name
        for payment in payments(aws.dynamodb(region.region), table, from_ms, to_ms):
            found[payment.payment_id, payment.fingerprint] = payment
    kept = {
        region.region: frozenset(_objects(aws.s3(region.region), region.s3_bucket_name, from_ms, to_ms))
        for region in outputs.regions
    }
    wanted = {key: payment for payment in found.values() for key in payment.audit_objects}
    nowhere = [payment for key, payment in wanted.items() if not any(key in keys for keys in kept.values())]
    missing = tuple(sorted({payment.payment_id for payment in nowhere}))
    region = outputs.regions[0]
    function = FunctionOperations(aws, region) if ask is None else ask(region)
    return AuditReconciliation(
        env=outputs.environment_suffix,
        from_ms=from_ms,
        to_ms=to_ms,
        payments=len(found),
        missing=missing,
        written=tuple(_written(function, missing)) if write else (),
        not_copied={
            region: tuple(
                sorted(
                    key
                    for key in wanted
                    if key not in keys and any(key in others for others in kept.values())
                )
            )
            for region, keys in kept.items()
        },
    )


def _objects(client: "S3Client", bucket: str, from_ms: int, to_ms: int) -> Iterator[str]:
    paginator = client.get_paginator("list_objects_v2")
    for prefix in prefixes(from_ms, to_ms):
        for page in paginator.paginate(Bucket=bucket, Prefix=prefix):
            yield from (one["Key"] for one in page.get("Contents", ()))


def _written(function: FunctionOperations, ids: tuple[str, ...]) -> Iterable[str]:
    for first in range(0, len(ids), AT_ONCE):
        answer = function.ask("audit", payment_ids=list(ids[first : first + AT_ONCE]))
        yield from (*answer["written"], *answer["present"])
