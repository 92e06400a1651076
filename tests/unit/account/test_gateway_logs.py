"""API Gateway's CloudWatch role is looked for in both regions before a deployment to AWS."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from botocore.exceptions import ClientError

from payinfra.account.gateway_logs import account_settings
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable

ROLE = "arn:aws:iam::123456789012:role/api-gateway-logs"
REGIONS = ("us-east-1", "us-west-2")


@dataclass(frozen=True)
class Gateway:
    """API Gateway in a region whose account setting is this; None where the caller may not ask."""

    setting: Mapping[str, object] | None

    def get_account(self) -> Mapping[str, object]:
        if self.setting is None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "GetAccount")
        return self.setting


@dataclass(frozen=True)
class FakeAws(Aws):
    gateways: Mapping[str, Gateway] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Gateway:
        assert service == "apigateway"
        return self.gateways[region]


def aws(primary: Mapping[str, object] | None, secondary: Mapping[str, object] | None) -> FakeAws:
    return FakeAws(gateways=dict(zip(REGIONS, (Gateway(primary), Gateway(secondary)), strict=True)))


SET: Mapping[str, object] = {"cloudwatchRoleArn": ROLE}


def test_with_a_role_in_both_regions_it_goes_on() -> None:
    assert account_settings(aws(SET, SET), REGIONS) == "API Gateway may write logs"


@pytest.mark.parametrize("unset", [{}, {"cloudwatchRoleArn": ""}])
def test_the_region_without_a_role_is_named_with_the_command_that_sets_it(
    unset: Mapping[str, object],
) -> None:
    with pytest.raises(EnvironmentUnusable, match="no CloudWatch role in us-west-2, so") as caught:
        account_settings(aws(SET, unset), REGIONS)
    assert "bootstrap --aws --primary-region us-east-1 --secondary-region us-west-2" in caught.value.hint


def test_both_are_named() -> None:
    with pytest.raises(EnvironmentUnusable, match="in us-east-1 and us-west-2"):
        account_settings(aws({}, {}), REGIONS)


def test_who_may_not_ask_is_told_what_to_allow() -> None:
    with pytest.raises(EnvironmentUnusable, match="AccessDenied") as caught:
        account_settings(aws(SET, None), REGIONS)
    assert "apigateway:GET" in caught.value.hint
