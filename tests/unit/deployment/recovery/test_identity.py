"""A copied folder is told by the names and ARNs in it."""

from dataclasses import replace

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import Outputs
from payinfra.deployment.recovery.identity import Identity
from payinfra.terraform import Kept
from tests.support.outputs import flat_outputs

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/payment-a-payments"


def kept(env: str = "a", arn: str = ARN) -> Kept:
    return Kept(
        "t.x", "t", "aws.primary", tainted=False, attributes={"arn": arn, "tags_all": {"Environment": env}}
    )


def test_a_state_names_its_environment_and_its_account() -> None:
    untold = Kept("t.y", "t", "aws.primary", tainted=False, attributes={"arn": "arn:aws:s3:::bucket"})
    gateway = kept(arn="arn:aws:apigateway:us-east-1::/restapis/x")
    found = Identity.of_state([kept(), gateway, untold])
    assert found == Identity(frozenset({"a"}), frozenset({"123456789012"}))


def test_outputs_name_their_environment_and_their_account() -> None:
    flat = flat_outputs(dynamodb_table_name="payment-a-b-payments", dynamodb_table_arn=ARN)
    assert Identity.of_outputs(Outputs.from_flat(flat)) == Identity(
        frozenset({"a-b"}), frozenset({"123456789012"})
    )
    assert Identity.of_outputs(Outputs.from_flat(flat_outputs())) == Identity(frozenset(), frozenset())


def test_what_is_ones_own_or_says_nothing_is_let_through() -> None:
    Identity.of_state([kept()]).require("a", "123456789012", "state")
    Identity.of_state([]).require("a", "123456789012", "state")


def test_what_is_another_environments_or_accounts_is_refused() -> None:
    own = Identity.of_state([kept()])
    with pytest.raises(
        EnvironmentUnusable, match=r"state\.json is not of environment b but of a\."
    ) as caught:
        own.require("b", "123456789012", "state.json")
    assert "payinfra adopt" in caught.value.hint
    with pytest.raises(
        EnvironmentUnusable, match="of account 123456789012, and the credentials are of"
    ) as caught:
        own.require("a", "000000000000", "state.json")
    assert "Use credentials of that account" in caught.value.hint
    with pytest.raises(EnvironmentUnusable):
        replace(own, envs=frozenset({"a", "b"})).require("a", "123456789012", "state.json")
