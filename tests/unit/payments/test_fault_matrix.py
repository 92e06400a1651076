"""What a fault of each dependency does to the name is what was expected, and what the page shows."""

import pytest

from tests.support.fault_matrix import CASES, FaultCase, kept, measure, where_it_leads
from tests.unit.payments.conftest import Site

KEPT = {(one.dependency, one.what): one for one in kept()}


@pytest.mark.parametrize("case", CASES, ids=lambda one: f"{one.dependency}: {one.what}")
def test_the_name_does_what_was_expected(case: FaultCase, sites: tuple[Site, Site]) -> None:
    found = measure(case, *sites)
    assert found.measured == case.expected
    # docs/scenarios.md shows what is kept: `python -m scripts.fault_matrix` keeps it anew.
    assert KEPT[case.dependency, case.what] == found


def test_there_are_enough_of_them_for_each_dependency() -> None:
    assert {one.dependency for one in CASES} == {"DynamoDB", "KMS", "S3", "SSM", "Lambda"}
    assert {one.expected for one in CASES} == {"moves", "must not move", "a person decides"}
    assert len(kept()) == len(CASES) >= 10


def test_with_both_unhealthy_route_53_leads_to_the_primary() -> None:
    assert where_it_leads(True, True) == where_it_leads(True, False) == "us-east-1"
    assert where_it_leads(False, True) == "us-west-2"
    assert where_it_leads(False, False) == "us-east-1"
