"""S3, as AWS answers it."""

from collections.abc import Callable, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator

Answer = tuple[int, dict[str, str], bytes]
Dispatch = Callable[[str, str, str, Mapping[str, str], bytes, Mapping[str, Any]], Answer]

SMALLEST = "x-amz-transition-default-minimum-object-size"


def install(emulator: Emulator) -> None:
    """Makes the corrections that reach into the service."""
    s3 = emulator.service("s3")
    emulator.replace(s3, "_dispatch", keep_smallest_size_to_transition(s3._dispatch, s3._bucket_lifecycle))


def keep_smallest_size_to_transition(
    original: Dispatch, rules: Mapping[str, list[dict[str, Any]]]
) -> Dispatch:
    """AWS: a lifecycle configuration keeps from which object size on it moves objects.

    It is kept in the bucket's first rule, so that it is saved and deleted with the rules.
    """

    def dispatch(
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
