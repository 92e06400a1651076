"""What exists finds its address in the stack, along the stack's own references."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.deployment.recovery import matching
from payinfra.deployment.recovery.matching import Matching
from payinfra.deployment.recovery.ownership import FoundResource
from payinfra.terraform import Creation, Import, Kept
from tests.unit.deployment.recovery.conftest import PROVIDER, REGION, TAGS

Block = Mapping[str, Any]
OLD, YOUNG = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class MatchingCase:
    """A stack, a plan that would create all of it, and what AWS finds of each type."""

    file: Path
    blocks: dict[str, Block] = field(default_factory=dict)
    creations: list[Creation] = field(default_factory=list)
    finds: dict[str, Callable[[Creation], list[FoundResource]]] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def has(self, address: str, find: Callable[[Creation], list[FoundResource]], **values: Any) -> None:
        """Add a resource: what is no reference is known to the plan."""
        type_ = address.partition(".")[0]
        self.blocks[address] = values
        known = {name: value for name, value in values.items() if "${" not in json.dumps(value)}
        self.creations.append(Creation(address, type_, PROVIDER, REGION, {**known, "tags_all": TAGS}))
        self.finds[address] = find

    def matching(self, *kept: Kept) -> Matching:
        resources: dict[str, dict[str, Any]] = {}
        for address, block in self.blocks.items():
            type_, _, name = address.partition(".")
            resources.setdefault(type_, {})[name] = {"provider": PROVIDER, **block}
        provider = {"alias": "primary", "region": REGION}
        self.file.write_text(json.dumps({"provider": {"aws": [provider]}, "resource": resources}))
        return Matching(Aws(), self.file, kept, self.find)

    def find(self, creation: Creation, _aws: Aws) -> tuple[FoundResource, ...]:
        self.asked.append((creation.address, creation.values))
        return tuple(self.finds[creation.address](creation))


@pytest.fixture
def recovered(tmp_path: Path) -> MatchingCase:
    return MatchingCase(tmp_path / "cdk.tf.json")


def imports(recovered: MatchingCase, *kept: Kept) -> dict[str, str]:
    return {one.address: one.id for one in recovered.matching(*kept).match(recovered.creations).imports}


def test_what_exists_is_imported_under_its_id(recovered: MatchingCase) -> None:
    recovered.has("aws_iam_role.r", lambda _one: [FoundResource("role", tags=TAGS)], name="role")
    recovered.has("aws_sns_topic.t", lambda _one: [], name="topic")
    assert imports(recovered) == {"aws_iam_role.r": "role"}


def test_nothing_is_wanted_of_nothing(recovered: MatchingCase) -> None:
    assert recovered.matching().match(()).imports == ()


def test_a_type_that_is_nothing_on_aws_is_not_looked_for(recovered: MatchingCase) -> None:
    recovered.has("aws_acm_certificate_validation.v", lambda _one: [FoundResource("x")])
    assert imports(recovered) == {}
    assert recovered.asked == []


def test_values_follow_from_what_was_found(recovered: MatchingCase) -> None:
    """An API's id is in the name of its log group, and in what its usage plan serves."""
    api = "${aws_api_gateway_rest_api.a.id}"
    recovered.has("aws_api_gateway_rest_api.a", lambda _one: [FoundResource("r1", tags=TAGS)], name="api")
    recovered.has(
        "aws_cloudwatch_log_group.g",
        lambda one: [FoundResource(one.value("name"), tags=TAGS)] if one.value("name") else [],
        name=f"Logs_{api}/prod",
    )
    recovered.has(
        "aws_api_gateway_usage_plan.p",
        lambda one: [FoundResource("p1", parent="r1")] if one.values.get("api_stages") == served else [],
        api_stages=[{"api_id": api, "stage": "prod", "burst": 5}],
        name="${aws_api_gateway_rest_api.a.name}",
    )
    served = [{"api_id": "r1", "stage": "prod", "burst": 5}]
    assert imports(recovered) == {
        "aws_api_gateway_rest_api.a": "r1",
        "aws_cloudwatch_log_group.g": "Logs_r1/prod",
        "aws_api_gateway_usage_plan.p": "p1",
    }
    assert recovered.asked[-1][1]["name"] == "api", "what the plan knows of a resource is known of it"


def test_what_leads_to_nothing_known_stays_unknown(recovered: MatchingCase) -> None:
    for raw in ("${aws_sns_topic.gone.arn}", ["${aws_sns_topic.gone.arn}"], {"a": "${upper(x)}"}):
        recovered.has(f"aws_sns_topic_policy.p{len(recovered.blocks)}", lambda _one: [], arn=raw)
    assert imports(recovered) == {}
    assert all("arn" not in values for _, values in recovered.asked)


def test_what_proves_a_domain_follows_from_its_certificate(recovered: MatchingCase) -> None:
    options = "aws_acm_certificate.c.domain_validation_options"
    asked = f'${{one([for option in {options} : option.NAME if option.domain_name == "d.example.com"])}}'
    attributes = {"d.example.com.resource_record_name": "_x", "d.example.com.resource_record_type": "CNAME"}
    recovered.has(
        "aws_acm_certificate.c", lambda _one: [FoundResource("arn:c", tags=TAGS, attributes=attributes)]
    )
    recovered.has(
        "aws_route53_record.r",
        lambda one: [FoundResource(f"{one.value('name')} {one.value('type')}")] if one.value("name") else [],
        name=asked.replace("NAME", "resource_record_name"),
        type=asked.replace("NAME", "resource_record_type"),
    )
    assert imports(recovered)["aws_route53_record.r"] == "_x CNAME"


def test_nobody_is_asked_twice_for_the_same(recovered: MatchingCase) -> None:
    recovered.has("aws_iam_role.r", lambda _one: [FoundResource("role", tags=TAGS)], name="role")
    recovered.has("aws_sns_topic.t", lambda _one: [], name="topic")
    imports(recovered)
    assert sorted(address for address, _ in recovered.asked) == ["aws_iam_role.r", "aws_sns_topic.t"]


def test_a_part_goes_with_what_it_is_part_of(recovered: MatchingCase) -> None:
    recovered.has("aws_iam_role_policy.p", lambda _one: [FoundResource("role:p", parent="role")])
    recovered.has("aws_iam_role.r", lambda _one: [FoundResource("role", tags=TAGS)], name="role")
    assert imports(recovered) == {"aws_iam_role_policy.p": "role:p", "aws_iam_role.r": "role"}


def test_a_part_of_what_the_state_knows_is_ones_own(recovered: MatchingCase) -> None:
    recovered.has("aws_iam_role_policy.p", lambda _one: [FoundResource("role:p", parent="role")])
    known = Kept("aws_iam_role.r", "aws_iam_role", PROVIDER, tainted=False, attributes={"id": "role"})
    assert imports(recovered, known) == {"aws_iam_role_policy.p": "role:p"}


def test_nothing_of_anybody_elses_is_adopted_and_the_reason_is_told(recovered: MatchingCase) -> None:
    recovered.has("aws_iam_role.r", lambda _one: [FoundResource("role", tags=TAGS | {"Environment": "b"})])
    recovered.has("aws_iam_role_policy.p", lambda _one: [FoundResource("role:p", parent="role")])
    matched = recovered.matching().match(recovered.creations)
    assert matched.imports == ()
    assert matched.refused == {
        "aws_iam_role.r": "role does not bear this environment's tags",
        "aws_iam_role_policy.p": "it is part of role, which is not the environment's",
    }


def test_what_has_no_tags_and_is_part_of_nothing_is_known_by_its_name(recovered: MatchingCase) -> None:
    recovered.has("aws_cloudwatch_dashboard.d", lambda _one: [FoundResource("payment-a-overview")])
    assert imports(recovered) == {"aws_cloudwatch_dashboard.d": "payment-a-overview"}


def test_of_several_the_one_in_use_is_adopted(recovered: MatchingCase) -> None:
    young = FoundResource("young", tags=TAGS, created=YOUNG)
    candidates = [FoundResource("old", tags=TAGS, created=OLD), replace(young, in_use=True)]
    recovered.has("aws_kms_key.k", lambda _one: candidates)
    matched = recovered.matching().match(recovered.creations)
    assert matched.imports == (Import("aws_kms_key.k", "young"),)


def test_of_several_unused_the_oldest_is_adopted(recovered: MatchingCase) -> None:
    candidates = [
        FoundResource("timeless", tags=TAGS),
        FoundResource("young", tags=TAGS, created=YOUNG),
        FoundResource("old", tags=TAGS, created=OLD),
        FoundResource("theirs", tags={}, created=OLD, in_use=True),
    ]
    recovered.has("aws_kms_key.k", lambda _one: candidates)
    assert imports(recovered) == {"aws_kms_key.k": "old"}


def test_what_cannot_be_asked_stops_before_anything_changes(recovered: MatchingCase) -> None:
    def refuse(_one: Creation) -> list[FoundResource]:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetRole")

    recovered.has("aws_iam_role.r", refuse)
    with pytest.raises(EnvironmentUnusable, match="AccessDenied") as caught:
        imports(recovered)
    assert "Nothing was changed" in caught.value.hint


def test_aws_is_asked_as_every_type_says() -> None:
    assert matching.look is Matching(Aws(), Path(), ()).find
