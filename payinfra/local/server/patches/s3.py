"""S3, as AWS answers it."""

from collections.abc import Callable, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches.kms_permissions import OF_AWS, SSE_KEY

Answer = tuple[int, dict[str, str], bytes]
Dispatch = Callable[[str, str, str, Mapping[str, str], bytes, Mapping[str, Any]], Answer]

SMALLEST = "x-amz-transition-default-minimum-object-size"


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    s3 = emulator.service("s3")
    emulator.replace(
        s3, "_resolve_sse_write_headers", key_must_be_there(emulator, s3, s3._resolve_sse_write_headers)
    )
    emulator.replace(s3, "_dispatch", keep_smallest_size_to_transition(s3._dispatch, s3._bucket_lifecycle))


def key_must_be_there(
    emulator: Emulator, s3: Any, original: Callable[[Mapping[str, str], str], tuple[Any, Any]]
) -> Callable[[Mapping[str, str], str], tuple[Any, Any]]:
    """AWS: an object is not written under a key that does not exist in the bucket's region (S3 API reference,
    "Error responses", KMS.NotFoundException). What a request names overrides the bucket's default, AES256 too
    (S3 user guide, "Setting default server-side encryption behavior for Amazon S3 buckets")."""
    kms, responses = emulator.service("kms"), emulator.core("responses")

    def resolve(headers: Mapping[str, str], bucket: str) -> tuple[Any, Any]:
        wanted, refused = original(headers, bucket)
        key = (wanted or {}).get(SSE_KEY, "")
        if refused or not key or OF_AWS in key:
            return wanted, refused
        region = (s3._buckets.get(bucket) or {}).get("region") or responses.get_region()
        with emulator.scope(responses.get_account_id(), region):
            known = kms._resolve_key(key)
        if known:
            return wanted, None
        return None, s3._error("KMS.NotFoundException", f"Invalid keyId {key}", 400)

    return resolve


def keep_smallest_size_to_transition(
    original: Dispatch, rules: Mapping[str, list[dict[str, Any]]]
) -> Dispatch:
    """AWS: a lifecycle configuration keeps from which object size on it moves objects.

    It is kept in the bucket's first rule, so that it is saved and deleted with the rules.
    """

    def dispatch(  # noqa: PLR0917 - as it is called by the one it stands for
        method: str,
        bucket: str,
        key: str,
        headers: Mapping[str, str],
        body: bytes,
        query: Mapping[str, Any],
    ) -> Answer:
        status, answered, content = original(method, bucket, key, headers, body, query)
        if "lifecycle" not in query or key or status != 200 or not rules.get(bucket):
            return status, answered, content
        first = rules[bucket][0]
        if method == "PUT" and SMALLEST in headers:
            first[SMALLEST] = headers[SMALLEST]
        return status, {**answered, SMALLEST: first.get(SMALLEST, "all_storage_classes_128K")}, content

    return dispatch
