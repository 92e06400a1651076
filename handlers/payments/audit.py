"""The audit log in S3: one object for each payment, written once whoever writes it first."""

import base64
import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from . import core
from .core import Payment
from .ledger import reason_of
from .problems import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REMEMBERED = 4096


class S3Audit:
    """The audit bucket of one region.

    The write is conditional, so that a replay adds no version, and needs no permission to read. What this
    container has seen written is remembered: a replay that comes back to it costs no call.
    """

    def __init__(self, client: "S3Client", bucket: str, key_arn: str, remembered: int = REMEMBERED) -> None:
        self._client = client
        self._bucket = bucket
        self._key_arn = key_arn
        self._remembered = remembered
        self._written: dict[str, None] = {}

    def record(self, payment: Payment) -> None:
        name = core.audit_key(payment)
        if name not in self._written and self._write(name, core.audit_record(payment)):
            self._written[name] = None
            if len(self._written) > self._remembered:
                del self._written[next(iter(self._written))]

    def _write(self, name: str, record: bytes) -> bool:
        """Write the object unless it is there; whether it is known to be there now."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=record,
                ContentType="application/json",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(record).digest()).decode(),
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=self._key_arn,
                BucketKeyEnabled=True,
                IfNoneMatch="*",
            )
        except (ClientError, BotoCoreError) as error:
            reason = reason_of(error)
            if reason == "ConditionalRequestConflict":
                # Another request is writing the same object at this moment, and answers for it.
                return False
            if reason != "PreconditionFailed":
                raise Unavailable("audit", reason) from error
        return True
