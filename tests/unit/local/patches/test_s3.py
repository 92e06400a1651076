"""S3's corrections: a lifecycle configuration keeps its smallest size to transition."""

from collections.abc import Mapping
from typing import Any

import pytest

from payinfra.local.server.asgi import AsgiResponse
from payinfra.local.server.patches.kms_permissions import SSE, SSE_KEY
from payinfra.local.server.patches.s3 import SMALLEST, Dispatch, keep_smallest_size_to_transition
from tests.unit.local.conftest import Ministack


def service(rules: dict[str, list[dict[str, Any]]], status: int = 200) -> Dispatch:
    def dispatch(
        method: str, bucket: str, key: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        if method == "PUT" and status == 200:
            rules[bucket] = [{"ID": "audit"}]
        return status, {"kept": "yes"}, b"body"

    return dispatch


def test_what_was_put_is_what_is_got() -> None:
    rules: dict[str, list[dict[str, Any]]] = {}
    s3 = keep_smallest_size_to_transition(service(rules), rules)
    s3("PUT", "audit", "", {SMALLEST: "varies_by_storage_class"}, b"", {"lifecycle": ""})
    answer = s3("GET", "audit", "", {}, b"", {"lifecycle": ""})
    assert answer == (200, {"kept": "yes", SMALLEST: "varies_by_storage_class"}, b"body")


def test_without_the_header_the_default_holds() -> None:
    rules: dict[str, list[dict[str, Any]]] = {}
    s3 = keep_smallest_size_to_transition(service(rules), rules)
    s3("PUT", "audit", "", {}, b"", {"lifecycle": ""})
    assert s3("GET", "audit", "", {}, b"", {"lifecycle": ""})[1][SMALLEST] == "all_storage_classes_128K"


def test_nothing_else_is_touched() -> None:
    rules: dict[str, list[dict[str, Any]]] = {"audit": [{"ID": "audit"}]}
    s3 = keep_smallest_size_to_transition(service(rules), rules)
    untouched = (200, {"kept": "yes"}, b"body")
    assert s3("GET", "audit", "", {}, b"", {"versioning": ""}) == untouched
    assert s3("GET", "audit", "an-object", {}, b"", {"lifecycle": ""}) == untouched
    assert s3("GET", "other", "", {}, b"", {"lifecycle": ""}) == untouched
    refusing = keep_smallest_size_to_transition(service(rules, status=404), rules)
    assert refusing("GET", "audit", "", {}, b"", {"lifecycle": ""})[0] == 404


def put(world: Ministack, **headers: str) -> AsgiResponse:
    return world.call("s3", "PUT", "/states/one", b"{}", headers)


def encryption(world: Ministack) -> tuple[str | None, str | None]:
    """The object's algorithm and key."""
    found = dict(world.call("s3", "HEAD", "/states/one").headers)
    return found.get(SSE), found.get(SSE_KEY)


@pytest.fixture
def states(world: Ministack) -> str:
    """A bucket whose default is a customer key, and that key's ARN."""
    key = world.kms_key()
    assert world.call("s3", "PUT", "/states").status == 200
    rule = (
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        f"<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{key}</KMSMasterKeyID>"
        "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
    )
    assert world.call("s3", "PUT", "/states?encryption", rule.encode()).status == 200
    return key


def test_an_algorithm_that_a_request_names_overrides_the_buckets_default_key(
    world: Ministack, states: str
) -> None:
    assert put(world).status == 200
    assert encryption(world) == ("aws:kms", states)
    assert put(world, **{SSE: "AES256"}).status == 200
    assert encryption(world) == ("AES256", None)


def test_an_object_is_written_only_under_a_key_that_exists(world: Ministack, states: str) -> None:
    refused = put(world, **{SSE: "aws:kms", SSE_KEY: "alias/no-such"})
    assert (refused.status, b"KMS.NotFoundException" in refused.body) == (400, True)
    assert put(world, **{SSE: "aws:kms", SSE_KEY: states}).status == 200
    alias = {"AliasName": "alias/there", "TargetKeyId": states}
    headers = {"x-amz-target": "TrentService.CreateAlias", "content-type": "application/x-amz-json-1.1"}
    assert world.call("kms", "POST", "/", alias, headers).status == 200
    assert put(world, **{SSE: "aws:kms", SSE_KEY: "alias/there"}).status == 200
