"""Health checkers leave no traces: two sampling rules of the account in each region say so."""

from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.account.changes import Changes
from payinfra.account.trace_sampling import UNTRACED_PAGES, sampling_rule, trace_sampling
from payinfra.core.naming import NAME_PREFIX, STAGE, Names
from payinfra.local.server.patches.xray import MOST_RULES
from payinfra.stacks.routing import EVACUATION_PATH, HEALTH_PATH
from tests.unit.account.conftest import REGIONS, InProcess


def rules(aws: InProcess, region: str) -> dict[str, Any]:
    records = aws.xray(region).get_sampling_rules()["SamplingRuleRecords"]
    return {one["SamplingRule"]["RuleName"]: one["SamplingRule"] for one in records}


def made(aws: InProcess, *, dry_run: bool = False) -> list[str]:
    changes = Changes(dry_run)
    trace_sampling(REGIONS, aws, changes)
    return changes.said


@pytest.mark.parametrize("region", REGIONS)
def test_no_request_for_either_page_is_sampled(aws: InProcess, region: str) -> None:
    made(aws)
    found = rules(aws, region)
    assert found.keys() == {"Default", "payment-health", "payment-evacuation"}
    for page in UNTRACED_PAGES:
        rule = found[f"payment-{page}"]
        assert (rule["FixedRate"], rule["ReservoirSize"]) == (0.0, 0)
        assert rule["Priority"] < found["Default"]["Priority"]


@pytest.mark.parametrize(
    ("path", "env", "page"),
    [
        (HEALTH_PATH, "prod", "health"),
        (EVACUATION_PATH, "pr7", "evacuation"),
        (f"/{STAGE}/payments", "prod", None),
        (f"/{STAGE}/payments/pay_1", "prod", None),
    ],
)
def test_the_rules_are_about_these_pages_of_the_prefix_s_environments_only(
    path: str, env: str, page: str | None
) -> None:
    def matches(name: str, rule: Any) -> bool:
        return fnmatchcase(path, rule["URLPath"]) and fnmatchcase(name, rule["ServiceName"])

    all_rules = {one: sampling_rule(NAME_PREFIX, one) for one in UNTRACED_PAGES}
    ours, theirs = (f"{Names(env, prefix).api}/{STAGE}" for prefix in (NAME_PREFIX, "other"))
    assert [one for one, rule in all_rules.items() if matches(ours, rule)] == ([page] if page else [])
    assert not any(matches(theirs, rule) for rule in all_rules.values())


def test_names_and_patterns_are_as_long_as_x_ray_takes_them() -> None:
    """32 characters for the name of a rule, 64 for a service's (X-Ray API reference, SamplingRule)."""
    for page in UNTRACED_PAGES:
        rule: Any = sampling_rule("p" * 20, page)
        assert len(rule["RuleName"]) <= 32
        assert len(rule["ServiceName"]) <= 64


def test_what_says_something_else_is_changed_and_what_is_right_stays(aws: InProcess) -> None:
    assert len(made(aws, dry_run=True)) == 4
    assert rules(aws, REGIONS[0]).keys() == {"Default"}
    assert len(made(aws)) == 4
    assert made(aws) == []
    client = aws.xray(REGIONS[1])
    client.update_sampling_rule(SamplingRuleUpdate={"RuleName": "payment-health", "FixedRate": 0.5})
    assert made(aws) == [f"change sampling rule payment-health in {REGIONS[1]}"]
    assert rules(aws, REGIONS[1])["payment-health"]["FixedRate"] == 0.0


def test_the_embedded_aws_refuses_what_x_ray_refuses(aws: InProcess) -> None:
    client = aws.xray(REGIONS[0])
    for number in range(MOST_RULES):
        client.create_sampling_rule(SamplingRule=sampling_rule(f"p{number}", "health"))
    for create in ("p0", "one-too-many"):
        with pytest.raises(ClientError, match=r"already exists|maximum number"):
            client.create_sampling_rule(SamplingRule=sampling_rule(create, "health"))
    with pytest.raises(ClientError, match="does not exist"):
        client.update_sampling_rule(SamplingRuleUpdate={"RuleName": "nobody", "FixedRate": 0.5})
