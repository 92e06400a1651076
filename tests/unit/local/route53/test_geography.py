import math

import pytest

from payinfra.core.region_geography import (
    ClientLocations,
    client_in,
    client_networks,
    distance,
    nearest_first,
)


def test_regions_come_nearest_first() -> None:
    regions = ["eu-west-1", "us-east-1", "us-west-2", "ap-northeast-1"]
    assert nearest_first(regions, "us-east-2") == ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1"]
    assert nearest_first(regions, "us-west-2")[0] == "us-west-2"
    assert nearest_first(regions, "eu-central-1")[0] == "eu-west-1"


def test_distance_is_along_the_great_circle() -> None:
    # Virginia to Oregon is about 3,700 km on a sphere of 6,371 km radius.
    assert distance("us-east-1", "us-west-2") * 6371 == pytest.approx(3600, abs=200)
    assert distance("us-west-2", "us-east-1") == distance("us-east-1", "us-west-2")


def test_an_unknown_region_is_far_from_all_but_itself() -> None:
    assert distance("xx-new-1", "us-east-1") == math.inf
    assert distance("us-east-1", "xx-new-1") == math.inf
    assert distance("xx-new-1", "xx-new-1") == 0
    assert nearest_first(["xx-new-2", "xx-new-1", "us-west-2"], "us-east-1") == [
        "us-west-2",
        "xx-new-1",
        "xx-new-2",
    ]


def test_a_client_is_located_by_its_longest_matching_network() -> None:
    locations = ClientLocations(
        {"198.51.100.0/24": "us-west-2", "198.51.100.128/25": "eu-west-1", "2001:db8::/32": "sa-east-1"}
    )
    assert locations.region_of("198.51.100.7") == "us-west-2"
    assert locations.region_of("198.51.100.200") == "eu-west-1"
    assert locations.region_of("2001:db8::1") == "sa-east-1"
    assert locations.region_of("203.0.113.1") == "us-east-1"


def test_clients_of_no_known_network_are_where_the_default_says() -> None:
    assert ClientLocations().region_of(None) == "us-east-1"
    assert ClientLocations(default="eu-west-1").region_of("203.0.113.1") == "eu-west-1"


def test_what_is_no_address_or_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        ClientLocations().region_of("nonsense")
    with pytest.raises(ValueError, match="not a network"):
        ClientLocations({"not a network": "us-east-1"})


@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "af-south-1", "eu-central-1"])
def test_a_client_can_say_in_which_region_it_is(region: str) -> None:
    assert ClientLocations(client_networks()).region_of(client_in(region)) == region


def test_nobody_is_in_a_region_that_nobody_knows() -> None:
    with pytest.raises(KeyError):
        client_in("moon-base-1")
