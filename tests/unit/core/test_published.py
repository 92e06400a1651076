"""What a deployment publishes of itself is read back whole, and nothing else is taken for it."""

import base64
import gzip
import json

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import Outputs
from payinfra.core.published import VALUE_MAX, PublishedDeployment
from tests.support.outputs import flat_outputs

OUTPUTS = Outputs.from_flat(flat_outputs(primary_region="us-east-1", secondary_region="us-west-2"))
PUBLISHED = PublishedDeployment("prod", "us-west-2", OUTPUTS)


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(PUBLISHED.to_json()), **fields})


def packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def test_it_is_read_back_as_it_was_written() -> None:
    assert PublishedDeployment.from_json(PUBLISHED.to_json()) == PUBLISHED
    assert PUBLISHED.peer_region == "us-east-1"
    assert PublishedDeployment("prod", "us-east-1", OUTPUTS).peer_region == "us-west-2"


def test_it_fits_in_a_standard_parameter() -> None:
    assert len(PUBLISHED.to_json().encode()) < VALUE_MAX


def test_a_person_can_read_what_matters_most() -> None:
    shown = json.loads(PUBLISHED.to_json())
    assert shown["env"] == "prod"
    assert shown["region"] == "us-west-2"
    assert shown["api_endpoint"] == "s-api_endpoint"
    assert shown["failover_domain"] == "p-failover_domain"


@pytest.mark.parametrize("text", ["", "{}", "[]", "{", changed(schema="something-else")])
def test_what_no_deployment_published_is_refused(text: str) -> None:
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        PublishedDeployment.from_json(text)


def test_another_version_is_named() -> None:
    with pytest.raises(EnvironmentUnusable, match="has version 2; this payinfra reads 1"):
        PublishedDeployment.from_json(changed(version=2))


@pytest.mark.parametrize(
    "outputs", ["", "?", "AAAA", packed(b"{"), packed(b"[]"), packed(b"{}")[:-12], packed(b"[" * 100_000)]
)
def test_outputs_that_cannot_be_unpacked_are_refused(outputs: str) -> None:
    with pytest.raises(EnvironmentUnusable, match="outputs cannot be read"):
        PublishedDeployment.from_json(changed(outputs=outputs))


def test_outputs_that_lack_one_are_refused() -> None:
    with pytest.raises(EnvironmentUnusable, match="outputs lack"):
        PublishedDeployment.from_json(changed(outputs=packed(b"{}")))
