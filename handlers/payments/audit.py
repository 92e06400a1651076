"""The audit log in S3: one object for each payment and each of its states, written once whoever is first."""

import base64
import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from . import core
from .core import Change, Payment
from .ledger import reason_of
from .problems import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REMEMBERED = 4096


class AuditState(StrEnum):
    """How this container's latest write of an audit object ended."""

    OK = "ok"
    FAILING = "failing"
    UNSEEN = "unseen"
    """It has written none yet."""


class S3Audit:
    """The audit bucket of one region.

    The write is conditional, so that a replay adds no version, and needs no permission to read. What this
    container has seen written is remembered: a replay that comes back to it costs no call. Who and when is in
    the object's metadata, so that its bytes follow from the payment alone.
    """

    def __init__(self, client: "S3Client", bucket: str, key_arn: str, remembered: int = REMEMBERED) -> None:
        self._client = client
        self._bucket = bucket
        self._key_arn = key_arn
        self._remembered = remembered
        self._written: dict[str, None] = {}
        self._state = AuditState.UNSEEN

    @property
    def state(self) -> AuditState:
        """What the latest write says of the bucket and its key. It costs no call."""
        return self._state

    def record(self, payment: Payment) -> bool:
        """Write the object of a new payment; whether it was written now, and not before.

        Raises:
            Unavailable: the bucket does not answer, or refuses.
        """
        receipt = payment.receipt
        metadata = (
            {}
            if receipt is None
            else core.audit_metadata(receipt.received_at, receipt.region, receipt.caller)
        )
        return self._once(core.audit_key(payment), core.audit_record(payment), metadata)

    def record_change(self, payment: Payment, change: Change) -> bool:
        """Write the object of a payment's new status; whether it was written now, and not before.

        Raises:
            Unavailable: the bucket does not answer, or refuses.
        """
        return self._once(
            core.change_key(payment),
            core.change_record(payment, change),
            core.audit_metadata(change.at, change.region, None),
        )

    def _once(self, name: str, record: bytes, metadata: Mapping[str, str]) -> bool:
        """Write an object that this container has not seen written; whether it is written now."""
        if name in self._written:
            return False
        found = self._write(name, record, metadata)
        if found is not None:
            self._written[name] = None
            if len(self._written) > self._remembered:
                del self._written[next(iter(self._written))]
        return found is True

    def _write(self, name: str, record: bytes, metadata: Mapping[str, str]) -> bool | None:
        """Write the object: True if it was not there, False if it was, None if that is not known."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=record,
                ContentType="application/json",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(record).digest()).decode(),
                Metadata=metadata,
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=self._key_arn,
                BucketKeyEnabled=True,
                IfNoneMatch="*",
            )
        except (ClientError, BotoCoreError) as error:
            reason = reason_of(error)
            if reason == "ConditionalRequestConflict":
                # Another request is writing the same object at this moment, and answers for it.
                return None
            if reason != "PreconditionFailed":
                self._state = AuditState.FAILING
                raise Unavailable("audit", reason) from error
            # S3 may compare names before it asks for the key: this says nothing of later writes.
            return False
        self._state = AuditState.OK
        return True
