"""S3's corrections: a lifecycle configuration keeps its smallest size to transition."""

from collections.abc import Mapping
from typing import Any

from payinfra.local.server.patches.s3 import SMALLEST, Dispatch, keep_smallest_size_to_transition


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
