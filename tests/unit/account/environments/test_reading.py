"""What an ARN names, and what resources say of themselves."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from payinfra.account.environments import tagged_resources
from payinfra.account.environments.model import Facts, ResourceKind
from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable
from tests.unit.account.environments.conftest import Account, FakeAws, arns, there


@pytest.mark.parametrize(
    ("kind", "name", "arn"),
    [
        (ResourceKind.KEY, "pr1-eu-west-1-0", arns("pr1", "eu-west-1")[0]),
        (ResourceKind.TABLE, "payment-pr1-payments", arns("pr1", "eu-west-1")[3]),
        (ResourceKind.FUNCTION, "payment-pr1-payments", arns("pr1", "eu-west-1")[4]),
        (ResourceKind.API, "pr1api", arns("pr1", "eu-west-1")[5]),
        (ResourceKind.OTHER, "pr1api/stages/prod", arns("pr1", "eu-west-1")[6]),
        (ResourceKind.TOPIC, "payment-pr1-alarms", arns("pr1", "eu-west-1")[8]),
        (ResourceKind.ALARM, "payment-pr1-errors", arns("pr1", "eu-west-1")[9]),
        (ResourceKind.LOG_GROUP, "/aws/lambda/payment-pr1-payments", arns("pr1", "eu-west-1")[10]),
        (ResourceKind.PARAMETER, "payment-pr1/api-key", arns("pr1", "eu-west-1")[11]),
        (ResourceKind.CERTIFICATE, "c-1", "arn:aws:acm:eu-west-1:1:certificate/c-1"),
        (ResourceKind.OTHER, "x", "arn:aws:brandnew:eu-west-1:1:thing/x"),
    ],
)
def test_an_arn_names_a_kind_a_region_and_a_name(kind: ResourceKind, name: str, arn: str) -> None:
    found = there(arn)
    assert (found.kind, found.region, found.name) == (kind, "eu-west-1", name)


def test_a_bucket_is_where_it_was_listed() -> None:
    found = there("arn:aws:s3:::payment-pr1-audit")
    assert (found.kind, found.region, found.name) == (ResourceKind.BUCKET, "us-east-1", "payment-pr1-audit")


@pytest.mark.parametrize(
    ("kind", "path"), [(ResourceKind.ZONE, "hostedzone/Z1"), (ResourceKind.HEALTH_CHECK, "healthcheck/a-b")]
)
def test_what_route_53_has_is_nowhere(kind: ResourceKind, path: str) -> None:
    found = there(f"arn:aws:route53:::{path}")
    assert (found.kind, found.region) == (kind, "")


def test_text_that_is_no_arn_names_something_else() -> None:
    assert there("nonsense").kind is ResourceKind.OTHER


def test_everything_of_a_region_is_listed_page_after_page(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    found = tagged_resources.tagged(aws, "us-west-2")
    assert [each.arn for each in found] == list(arns("pr1", "us-west-2"))
    assert found[0].tags["Environment"] == "pr1"


def test_a_region_without_an_endpoint_is_not_asked(account: Account) -> None:
    local = FakeAws(Endpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:2"), of=account)
    assert tagged_resources.tagged(local, "us-east-1") == ()
    with pytest.raises(EnvironmentUnusable, match="does not serve"):
        tagged_resources.tagged(local, "eu-west-1")


def test_a_key_that_waits_to_be_deleted_says_so(account: Account, aws: FakeAws) -> None:
    account.departing = {"gone"}
    arn = "arn:aws:kms:us-east-1:1:key/"
    assert tagged_resources.key(aws, there(f"{arn}gone")) == Facts(born=account.born, departing=True)
    assert tagged_resources.key(aws, there(f"{arn}here")) == Facts(born=account.born)


def test_times_are_utc_wherever_they_were_read(account: Account, aws: FakeAws) -> None:
    account.born = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    born = tagged_resources.key(aws, there("arn:aws:kms:us-east-1:1:key/k")).born
    assert born == datetime(2026, 1, 1, tzinfo=UTC)
    assert born is not None
    assert born.tzinfo is UTC


@pytest.mark.parametrize("protected", [True, False])
def test_a_table_tells_age_protection_and_recovery(account: Account, aws: FakeAws, protected: bool) -> None:
    account.protected = {"t"} if protected else set()
    facts = tagged_resources.table(aws, there("arn:aws:dynamodb:us-east-1:1:table/t"))
    later = account.born + timedelta(minutes=1)
    assert facts == Facts(born=later, deletion_protected=protected, recoverable=True)


def test_an_api_that_does_not_tell_its_age_is_of_no_age(aws: FakeAws) -> None:
    assert tagged_resources.api(aws, there("arn:aws:apigateway:us-east-1::/restapis/a")) == Facts()
