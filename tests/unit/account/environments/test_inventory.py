"""All environments of an account: what each has, and that nothing which is not known looks well."""

from datetime import timedelta

import pytest

from payinfra.account.environments.classify import age_s
from payinfra.account.environments.inventory import list_environments
from payinfra.account.environments.model import Cost, Environment, EnvironmentInventory, Protection, State
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import tags
from tests.unit.account.environments.conftest import (
    ACCOUNT,
    NOW,
    REGIONS,
    Account,
    FakeAws,
    arns,
    environment,
)


def count(aws: FakeAws, *protected: str, regions: tuple[str, ...] = REGIONS) -> EnvironmentInventory:
    return list_environments(
        aws,
        account=ACCOUNT,
        target="aws",
        regions=regions,
        protected_by_settings=lambda name: name in protected,
    )


def only(found: EnvironmentInventory) -> Environment:
    (one,) = found.environments
    return one


def test_a_whole_environment(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1", owner="team")
    found = count(aws)
    assert only(found) == Environment(
        name="pr1",
        owner="team",
        regions=REGIONS,
        state=State.COMPLETE,
        lacks=(),
        protection=Protection.EPHEMERAL,
        born=account.born,
        resources=27,
        costs=(
            Cost("keys", 6),
            Cost("health checks", 2),
            Cost("hosted zones", 1),
            Cost("alarms", 2),
            Cost("tables with point-in-time recovery", 2),
        ),
        unknown=(),
    )
    assert (found.asked, found.departing, found.is_whole) == (REGIONS, 0, True)


def test_what_an_extension_adds_and_has_no_known_price_is_counted(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    assert only(count(aws)).not_priced == ()
    for region in REGIONS:
        for service, path in (
            ("sqs", "payment-pr1-orders"),
            ("states", "stateMachine:payment-pr1-settle"),
            ("kinesis", "stream/payment-pr1-events"),
        ):
            account.add(region, f"arn:aws:{service}:{region}:{ACCOUNT}:{path}", tags("pr1"))
    assert only(count(aws)).not_priced == (Cost("kinesis stream", 2), Cost("states stateMachine", 2))


def test_environments_are_apart_and_in_order(account: Account, aws: FakeAws) -> None:
    account.deploy("pr2")
    account.deploy("a", owner="x")
    assert [(each.name, each.owner) for each in count(aws).environments] == [("a", "x"), ("pr2", "")]


def test_an_empty_account_has_none(aws: FakeAws) -> None:
    assert count(aws).environments == ()


def test_what_names_no_environment_belongs_to_none(account: Account, aws: FakeAws) -> None:
    account.add("us-east-1", "arn:aws:sns:us-east-1:1:topic", {"Project": "payment-infrastructure"})
    assert count(aws).environments == ()


def test_an_environment_elsewhere_is_followed_by_its_health_checks(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1", ("eu-west-1", "eu-central-1"))
    found = count(aws)
    assert found.asked == (*REGIONS, "eu-central-1", "eu-west-1")
    assert only(found).regions == ("eu-central-1", "eu-west-1")
    assert only(found).state is State.COMPLETE


def test_the_region_of_what_is_global_is_asked_whichever_others_are(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1", ("eu-west-1", "eu-central-1"))
    found = count(aws, regions=("eu-west-1", "eu-central-1"))
    assert found.asked == ("eu-west-1", "eu-central-1", "us-east-1")
    assert only(found).costs[1:3] == (Cost("health checks", 2), Cost("hosted zones", 1))


@pytest.mark.parametrize(
    ("region", "part", "lacks"),
    [
        ("us-west-2", "function", ("function in us-west-2",)),
        ("us-east-1", "table", ("table in us-east-1",)),
        ("us-west-2", "key/pr1-us-west-2-1", ("1 of 3 keys in us-west-2",)),
        ("us-west-2", ":key/", ("3 of 3 keys in us-west-2",)),
        ("us-east-1", "healthcheck/pr1-us-west-2", ("health check of us-west-2",)),
        ("us-east-1", "hostedzone", ("hosted zone, or certificates of a domain",)),
    ],
)
def test_what_is_missing_is_named(
    account: Account, aws: FakeAws, region: str, part: str, lacks: tuple[str, ...]
) -> None:
    account.deploy("pr1")
    account.remove(region, part)
    assert only(count(aws)).lacks == lacks
    assert only(count(aws)).state is State.PARTIAL


def leave_one_key(account: Account, *regions: str) -> None:
    for region in regions:
        for number in (1, 2):
            account.remove(region, f"key/pr1-{region}-{number}")


def test_one_key_in_each_region_is_the_lean_footprint(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    leave_one_key(account, *REGIONS)
    assert only(count(aws)).state is State.COMPLETE


def test_a_full_footprint_that_has_one_key_left_is_partial(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    leave_one_key(account, "us-west-2")
    assert only(count(aws)).lacks == ("2 of 3 keys in us-west-2",), "the other region has three"
    leave_one_key(account, "us-east-1")
    account.add(
        "us-east-1",
        "arn:aws:cloudwatch:us-east-1:123456789012:alarm:payment-pr1-api-latency",
        tags("pr1"),
    )
    assert only(count(aws)).lacks == ("2 of 3 keys in us-east-1", "2 of 3 keys in us-west-2")


def test_one_region_only_is_partial(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1", ("us-east-1",))
    found = only(count(aws))
    assert (found.state, found.lacks, found.regions) == (State.PARTIAL, ("second region",), ("us-east-1",))


def test_a_region_that_is_gone_is_missed_by_its_health_check(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    account.remove("us-west-2", "")
    found = only(count(aws))
    assert found.regions == REGIONS
    assert "table in us-west-2" in found.lacks


def test_certificates_stand_for_a_zone_of_its_own(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    account.remove("us-east-1", "hostedzone")
    account.add("us-east-1", "arn:aws:acm:us-east-1:1:certificate/c", tags("pr1"))
    assert only(count(aws)).state is State.COMPLETE


def test_a_region_with_a_topic_for_health_alarms_only_serves_nothing(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1", ("eu-west-1", "eu-central-1"))
    account.add("us-east-1", "arn:aws:sns:us-east-1:1:payment-pr1-alarms", tags("pr1"))
    account.add("us-east-1", "arn:aws:kms:us-east-1:1:key/k", tags("pr1"))
    assert only(count(aws)).state is State.COMPLETE


def test_keys_that_wait_to_be_deleted_are_no_environment(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    for key in arns("pr0", "us-east-1")[:3]:
        account.add("us-east-1", key, tags("pr0"))
        account.departing.add(key.rpartition("/")[2])
    found = count(aws)
    assert [each.name for each in found.environments] == ["pr1"]
    assert found.departing == 3


def test_what_is_listed_and_not_there_any_more_is_gone(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    account.add("us-west-2", arns("pr0", "us-west-2")[3], tags("pr0"))
    account.deleted = {"payment-pr0-payments"}
    found = count(aws)
    assert [each.name for each in found.environments] == ["pr1"]
    assert (found.departing, found.is_whole) == (0, True)


def test_protection_is_the_table_s_or_the_settings(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    assert only(count(aws, "pr1")).protection is Protection.PROTECTED
    account.protected = {"payment-pr1-payments"}
    assert only(count(aws)).protection is Protection.PROTECTED


def test_a_table_that_may_not_be_asked_leaves_protection_open(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    account.refusing = {"payment-pr1-payments"}
    found = count(aws)
    assert only(found).protection is Protection.UNKNOWN
    assert "payment-pr1-payments" in only(found).unknown[0]
    assert "not you" in only(found).unknown[0]
    assert not found.is_whole


def test_a_silent_region_leaves_state_and_protection_open(account: Account, aws: FakeAws) -> None:
    account.deploy("pr1")
    account.silent = {"us-west-2"}
    found = count(aws)
    assert (only(found).state, only(found).protection) == (State.UNKNOWN, Protection.UNKNOWN)
    assert found.unknown[0].startswith("us-west-2: ")
    assert not found.is_whole


def test_when_no_region_answers_there_is_no_inventory(account: Account, aws: FakeAws) -> None:
    account.silent = set(REGIONS)
    with pytest.raises(EnvironmentUnusable, match="not you") as refused:
        count(aws)
    assert "tag:GetResources" in refused.value.hint


def test_age_is_that_of_the_oldest_and_never_negative() -> None:
    assert age_s(environment(age=timedelta(hours=2)), NOW) == 7200
    assert age_s(environment(age=timedelta(hours=-1)), NOW) == 0
    assert age_s(environment(age=None), NOW) is None
