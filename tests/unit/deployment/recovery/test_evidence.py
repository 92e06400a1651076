"""Nothing of anybody else's is ever adopted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payinfra.deployment.recovery.ownership import CLOCKS_APART, IDENTITY, FoundResource, OwnershipEvidence
from tests.unit.deployment.recovery.conftest import TAGS

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OURS = FoundResource("payment-a-payments", created=BEGAN + timedelta(seconds=1), tags=TAGS)
EVIDENCE = OwnershipEvidence(BEGAN, frozenset({"api-1"}))


def test_what_bears_the_tags_and_is_young_enough_is_ours() -> None:
    assert EVIDENCE.against(OURS, TAGS) == ""


def test_tags_beyond_the_environments_do_not_matter() -> None:
    assert EVIDENCE.against(replace(OURS, tags=TAGS | {"Owner": "ana"}), TAGS) == ""


@pytest.mark.parametrize("name", IDENTITY)
def test_each_tag_counts(name: str) -> None:
    others = {**TAGS, name: "another"}
    without = {one: value for one, value in TAGS.items() if one != name}
    for tags in (others, without, {}):
        assert "does not bear" in EVIDENCE.against(replace(OURS, tags=tags), TAGS)


def test_a_plan_without_tags_owns_nothing_that_has_any() -> None:
    assert "does not bear" in EVIDENCE.against(OURS, {})


def test_what_is_tagged_by_a_second_call_may_bear_none_but_no_others() -> None:
    late = replace(OURS, tagged_later=True)
    assert EVIDENCE.against(replace(late, tags={}), TAGS) == ""
    assert "does not bear" in EVIDENCE.against(replace(late, tags={"Environment": "b"}), TAGS)


def test_what_has_no_tags_is_judged_by_its_age() -> None:
    assert EVIDENCE.against(replace(OURS, tags=None), TAGS) == ""
    assert EVIDENCE.against(replace(OURS, tags=None, created=None), TAGS)


def test_what_is_older_than_the_environment_is_somebody_elses() -> None:
    """The same name and tags: a deployment of the same environment, with a state elsewhere."""
    assert EVIDENCE.against(replace(OURS, created=BEGAN - CLOCKS_APART), TAGS) == ""
    older = replace(OURS, created=BEGAN - CLOCKS_APART - timedelta(seconds=1))
    assert EVIDENCE.against(older, TAGS) == (
        "it was made at 2026-01-02 03:03:04 UTC, before this environment was first deployed from here, at "
        "2026-01-02 03:04:05 UTC"
    )


@pytest.mark.parametrize(
    ("found", "since"),
    [(replace(OURS, created=None), BEGAN), (OURS, None), (replace(OURS, created=None), None)],
)
def test_without_a_time_nothing_is_shown(found: FoundResource, since: datetime | None) -> None:
    assert "nothing shows" in OwnershipEvidence(since, frozenset()).against(found, TAGS)


def test_a_part_goes_with_what_it_is_a_part_of() -> None:
    assert EVIDENCE.against(FoundResource("api-1/GET", parent="api-1"), TAGS) == ""
    assert "part of api-2" in EVIDENCE.against(FoundResource("api-2/GET", parent="api-2"), TAGS)


def test_names_are_the_id_and_the_arn() -> None:
    assert FoundResource("k-1", arn="arn:k-1").names == {"k-1", "arn:k-1"}
    assert FoundResource("k-1").names == {"k-1"}
