"""The deployed API keeps what docs/openapi.json promises, for whatever schemathesis makes of it.

Every status that is seen has to be in the document, with the type of body and the headers that it says,
whether the function or the gateway answers.
"""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import positive_data_acceptance

from handlers import openapi

if TYPE_CHECKING:
    from tests.e2e.payments.conftest import Shop

# What the document allows may still be refused: a time may be too far from now, a text be a card's number.
NOT_PROMISED = [positive_data_acceptance]
VALID, INVALID = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CASES = {
    ("POST", "/payments", VALID): 100,
    ("POST", "/payments", INVALID): 100,
    ("GET", "/payments", VALID): 90,
    ("GET", "/payments", INVALID): 90,
    ("GET", "/payments/{payment_id}", VALID): 60,
    ("GET", "/payments/{payment_id}", INVALID): 60,
    # There is one way to ask for it, and none of them is invalid.
    ("GET", "/health", VALID): 1,
}
"""How many requests are made of each operation: 501 in all."""


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_the_deployment_keeps_the_promises_of_the_document(
    shop: "Shop", method: str, path: str, mode: GenerationMode
) -> None:
    api, statuses = shop.apis["primary"], Counter[int]()
    operation = schemathesis.openapi.from_dict(dict(openapi.document()))[path][method]
    limits = settings(
        max_examples=CASES[method, path, mode],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )

    @limits
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: Case[Any]) -> None:
        case.headers["x-api-key"] = api.key
        if mode is VALID and isinstance(case.body, dict):
            case.body["timestamp"] = int(time.time() * 1000)
        answer = case.call(base_url=api.url.removesuffix("/payments"), timeout=60)
        statuses[answer.status_code] += 1
        case.validate_response(answer, excluded_checks=NOT_PROMISED)

    if path == "/health":
        assert shop.deployment.serving("primary")
    hold()
    assert statuses.total() >= CASES[method, path, mode]
    assert not statuses.keys() & {500, 502, 504}, statuses
