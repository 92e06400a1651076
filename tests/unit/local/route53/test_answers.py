from collections.abc import Sequence
from typing import TypedDict, Unpack

import pytest

from payinfra.local.server.route53.answers import (
    Circumstances,
    DnsAnswerSections,
    ResourceRecord,
    ResponseCode,
    answer,
    zone_for,
)
from payinfra.local.server.route53.state import AliasTarget, Failover, RecordSet, Zone

APEX = "pay.example."
SOA = RecordSet(
    APEX, "SOA", 900, ("ns-1.awsdns-1.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",)
)
NS = RecordSet(APEX, "NS", 172800, ("ns-1.awsdns-1.com.", "ns-2.awsdns-2.net."))


class _More(TypedDict, total=False):
    set_identifier: str
    weight: int
    region: str
    failover: Failover
    multivalue: bool
    health_check_id: str
    unsupported_routing: bool


def zone_of(*records: RecordSet, name: str = APEX, zone_id: str = "Z1", private: bool = False) -> Zone:
    return Zone(zone_id, name, private, (SOA, NS, *records))


def ask(
    zone: Zone,
    name: str,
    rtype: str = "A",
    *,
    sick: Sequence[str] = (),
    region: str = "us-east-1",
    pick: int = 0,
) -> DnsAnswerSections:
    around = Circumstances(
        is_healthy=lambda check: check not in sick,
        client_region=region,
        pick=lambda total: min(pick, total - 1),
        resource_addresses=lambda target: {"api.aws.": ("127.0.0.1",)}.get(target, ()),
    )
    return answer(zone, name, rtype, around)


def values(given: DnsAnswerSections) -> list[str]:
    return [record.value for record in given.records]


def a(name: str, value: str, **more: Unpack[_More]) -> RecordSet:
    return RecordSet(name=name, type="A", ttl=60, values=(value,), **more)


# --- plain records -----------------------------------------------------------------------------


def test_a_simple_record_is_answered_with_all_its_values_and_its_ttl() -> None:
    zone = zone_of(RecordSet("www." + APEX, "A", 30, ("192.0.2.1", "192.0.2.2")))
    given = ask(zone, "www." + APEX)
    assert given == DnsAnswerSections(
        ResponseCode.NOERROR,
        (
            ResourceRecord("www." + APEX, "A", 30, "192.0.2.1"),
            ResourceRecord("www." + APEX, "A", 30, "192.0.2.2"),
        ),
    )
    assert given.authoritative


def test_the_apex_answers_its_soa_and_name_servers() -> None:
    assert values(ask(zone_of(), APEX, "NS")) == list(NS.values)
    assert values(ask(zone_of(), APEX, "SOA")) == list(SOA.values)


def test_a_name_that_is_not_there_is_nxdomain_with_the_soa_at_its_negative_ttl() -> None:
    given = ask(zone_of(), "none." + APEX)
    assert given.code is ResponseCode.NXDOMAIN
    assert [(line.type, line.ttl) for line in given.authority] == [("SOA", 900)]


def test_the_negative_ttl_is_the_smaller_of_the_soas_ttl_and_minimum() -> None:
    soa = RecordSet(APEX, "SOA", 900, ("ns. host. 1 7200 900 1209600 60",))
    given = ask(Zone("Z1", APEX, False, (soa,)), "none." + APEX)
    assert [line.ttl for line in given.authority] == [60]


@pytest.mark.parametrize("soa", [(), (RecordSet(APEX, "SOA", 900, ("broken",)),)])
def test_a_zone_without_a_usable_soa_still_answers(soa: tuple[RecordSet, ...]) -> None:
    given = ask(Zone("Z1", APEX, False, soa), "none." + APEX)
    assert (given.code, given.authority) == (ResponseCode.NXDOMAIN, ())


def test_a_name_without_the_type_is_nodata_not_nxdomain() -> None:
    given = ask(zone_of(a("www." + APEX, "192.0.2.1")), "www." + APEX, "AAAA")
    assert (given.code, given.records) == (ResponseCode.NOERROR, ())
    assert [line.type for line in given.authority] == ["SOA"]


def test_a_name_with_something_below_it_exists() -> None:
    given = ask(zone_of(a("a.b." + APEX, "192.0.2.1")), "b." + APEX)
    assert (given.code, given.records) == (ResponseCode.NOERROR, ())


def test_a_zone_does_not_hold_names_that_merely_end_alike() -> None:
    assert not zone_of().holds("mypay.example.")
    assert zone_of().holds("a.b.pay.example.")


# --- zones -------------------------------------------------------------------------------------


def test_the_longest_zone_answers_and_private_ones_never() -> None:
    parent = zone_of(name="example.", zone_id="ZP")
    child = zone_of(zone_id="ZC")
    hidden = zone_of(name="x." + APEX, zone_id="ZH", private=True)
    assert zone_for([child, parent, hidden], "x." + APEX) is child
    assert zone_for([child, parent], "other.example.") is parent
    assert zone_for([child, parent], "example.com.") is None


def test_of_two_zones_of_one_name_the_newer_answers() -> None:
    older, newer = zone_of(zone_id="Z1"), zone_of(zone_id="Z2")
    assert zone_for([older, newer], APEX) is newer


# --- wildcards, CNAMEs, delegation -------------------------------------------------------------


def test_a_wildcard_answers_under_the_name_that_was_asked() -> None:
    given = ask(zone_of(a("*." + APEX, "192.0.2.1")), "x.y." + APEX)
    assert [(line.name, line.value) for line in given.records] == [("x.y." + APEX, "192.0.2.1")]


def test_a_wildcard_does_not_reach_below_a_name_that_exists() -> None:
    zone = zone_of(a("*." + APEX, "192.0.2.1"), a("b." + APEX, "192.0.2.2"), a("c.d." + APEX, "192.0.2.3"))
    assert ask(zone, "a.b." + APEX).code is ResponseCode.NXDOMAIN
    assert ask(zone, "x.d." + APEX).code is ResponseCode.NXDOMAIN
    assert ask(zone, "d." + APEX).records == ()


def test_a_cname_inside_the_zone_is_followed() -> None:
    zone = zone_of(RecordSet("www." + APEX, "CNAME", 60, ("Host." + APEX,)), a("host." + APEX, "192.0.2.1"))
    assert values(ask(zone, "www." + APEX)) == ["Host." + APEX, "192.0.2.1"]
    assert values(ask(zone, "www." + APEX, "CNAME")) == ["Host." + APEX]


def test_a_cname_that_leaves_the_zone_is_answered_alone() -> None:
    zone = zone_of(RecordSet("www." + APEX, "CNAME", 60, ("abc.execute-api.us-east-1.amazonaws.com",)))
    given = ask(zone, "www." + APEX)
    assert values(given) == ["abc.execute-api.us-east-1.amazonaws.com"]
    assert (given.code, given.authority) == (ResponseCode.NOERROR, ())


def test_a_cname_to_a_missing_name_of_the_zone_is_nxdomain_and_shows_the_cname() -> None:
    given = ask(zone_of(RecordSet("www." + APEX, "CNAME", 60, ("none." + APEX,))), "www." + APEX)
    assert (given.code, values(given)) == (ResponseCode.NXDOMAIN, ["none." + APEX])


def test_a_cname_without_a_value_is_no_data() -> None:
    given = ask(zone_of(RecordSet("www." + APEX, "CNAME", 60)), "www." + APEX)
    assert (given.code, given.records) == (ResponseCode.NOERROR, ())


def test_a_circle_of_cnames_ends() -> None:
    zone = zone_of(
        RecordSet("a." + APEX, "CNAME", 60, ("b." + APEX,)),
        RecordSet("b." + APEX, "CNAME", 60, ("a." + APEX,)),
    )
    assert len(ask(zone, "a." + APEX).records) == 8


def test_a_delegated_subdomain_is_referred_to_its_servers() -> None:
    zone = zone_of(
        RecordSet("sub." + APEX, "NS", 300, ("ns.other.example.",)), a("www.sub." + APEX, "192.0.2.1")
    )
    given = ask(zone, "www.sub." + APEX)
    assert (given.records, given.authoritative) == ((), False)
    assert [(line.name, line.type, line.value) for line in given.authority] == [
        ("sub." + APEX, "NS", "ns.other.example.")
    ]


def test_the_parent_keeps_the_ds_record_of_a_delegation() -> None:
    zone = zone_of(
        RecordSet("sub." + APEX, "NS", 300, ("ns.other.example.",)),
        RecordSet("sub." + APEX, "DS", 300, ("1 13 2 AB",)),
    )
    assert values(ask(zone, "sub." + APEX, "DS")) == ["1 13 2 AB"]
    assert ask(zone, "sub." + APEX, "A").authority[0].type == "NS"


def test_a_cname_into_a_delegation_is_authoritative_for_the_cname() -> None:
    zone = zone_of(
        RecordSet("sub." + APEX, "NS", 300, ("ns.other.example.",)),
        RecordSet("www." + APEX, "CNAME", 60, ("x.sub." + APEX,)),
    )
    given = ask(zone, "www." + APEX)
    assert given.authoritative
    assert values(given) == ["x.sub." + APEX]


# --- failover ----------------------------------------------------------------------------------


def failover_pair(name: str = "api." + APEX) -> tuple[RecordSet, RecordSet]:
    return (
        a(name, "192.0.2.2", set_identifier="s", failover=Failover.SECONDARY, health_check_id="two"),
        a(name, "192.0.2.1", set_identifier="p", failover=Failover.PRIMARY, health_check_id="one"),
    )


@pytest.mark.parametrize(
    ("sick", "expected"),
    [
        ((), "192.0.2.1"),
        (("two",), "192.0.2.1"),
        (("one",), "192.0.2.2"),
        (("one", "two"), "192.0.2.1"),
    ],
)
def test_failover_answers_the_primary_unless_only_the_secondary_is_well(
    sick: tuple[str, ...], expected: str
) -> None:
    assert values(ask(zone_of(*failover_pair()), "api." + APEX, sick=sick)) == [expected]


def test_a_secondary_without_a_health_check_counts_as_healthy() -> None:
    secondary = a("api." + APEX, "192.0.2.2", set_identifier="s", failover=Failover.SECONDARY)
    zone = zone_of(failover_pair()[1], secondary)
    assert values(ask(zone, "api." + APEX, sick=["one", "two"])) == ["192.0.2.2"]


# --- latency -----------------------------------------------------------------------------------


def latency_set() -> tuple[RecordSet, ...]:
    return tuple(
        a("api." + APEX, value, set_identifier=region, region=region, health_check_id=region)
        for region, value in (
            ("us-east-1", "192.0.2.1"),
            ("us-west-2", "192.0.2.2"),
            ("eu-west-1", "192.0.2.3"),
        )
    )


@pytest.mark.parametrize(
    ("client", "sick", "expected"),
    [
        ("us-east-1", (), "192.0.2.1"),
        ("us-west-2", (), "192.0.2.2"),
        ("eu-central-1", (), "192.0.2.3"),
        ("us-east-1", ("us-east-1",), "192.0.2.2"),
        ("eu-central-1", ("eu-west-1", "us-east-1"), "192.0.2.2"),
        ("us-west-2", ("us-east-1", "us-west-2", "eu-west-1"), "192.0.2.2"),
    ],
)
def test_latency_answers_the_nearest_healthy_region(
    client: str, sick: tuple[str, ...], expected: str
) -> None:
    assert values(ask(zone_of(*latency_set()), "api." + APEX, region=client, sick=sick)) == [expected]


# --- weighted, multivalue, unsupported ---------------------------------------------------------


def weighted(*weights: int) -> Zone:
    return zone_of(
        *(
            a(
                "api." + APEX,
                f"192.0.2.{index}",
                set_identifier=str(index),
                weight=weight,
                health_check_id=f"{index}",
            )
            for index, weight in enumerate(weights)
        )
    )


@pytest.mark.parametrize(("pick", "expected"), [(0, "192.0.2.0"), (1, "192.0.2.2"), (3, "192.0.2.2")])
def test_weights_divide_the_draw(pick: int, expected: str) -> None:
    assert values(ask(weighted(1, 0, 3), "api." + APEX, pick=pick)) == [expected]


def test_weight_zero_serves_only_when_nothing_with_a_weight_can() -> None:
    assert values(ask(weighted(1, 0), "api." + APEX, pick=9)) == ["192.0.2.0"]
    assert values(ask(weighted(1, 0), "api." + APEX, sick=["0"])) == ["192.0.2.1"]
    assert values(ask(weighted(0, 0), "api." + APEX, pick=1)) == ["192.0.2.1"]


def test_when_all_weighted_records_are_unhealthy_the_weights_rule_again() -> None:
    assert values(ask(weighted(0, 5), "api." + APEX, sick=["0", "1"])) == ["192.0.2.1"]


def multivalues(count: int) -> Zone:
    return zone_of(
        *(
            a(
                "api." + APEX,
                f"192.0.2.{index}",
                set_identifier=str(index),
                multivalue=True,
                health_check_id=f"{index}",
            )
            for index in range(count)
        )
    )


def test_multivalue_answers_every_healthy_record_up_to_eight() -> None:
    assert len(values(ask(multivalues(10), "api." + APEX))) == 8
    assert sorted(values(ask(multivalues(3), "api." + APEX, sick=["1"]))) == ["192.0.2.0", "192.0.2.2"]
    assert len(values(ask(multivalues(3), "api." + APEX, sick=["0", "1", "2"]))) == 3


def test_a_policy_that_is_not_emulated_is_said_to_be_a_failure() -> None:
    zone = zone_of(a("api." + APEX, "192.0.2.1", unsupported_routing=True))
    assert ask(zone, "api." + APEX) == DnsAnswerSections(ResponseCode.SERVFAIL)


# --- aliases -----------------------------------------------------------------------------------


def alias(
    name: str, target: str, zone_id: str = "Z1", *, evaluate: bool = True, **more: Unpack[_More]
) -> RecordSet:
    return RecordSet(name=name, type="A", alias=AliasTarget(zone_id, target, evaluate), **more)


def test_an_alias_to_a_record_answers_with_that_records_data_under_its_own_name() -> None:
    given = ask(zone_of(alias(APEX, "www." + APEX), a("www." + APEX, "192.0.2.1")), APEX)
    assert given.records == (ResourceRecord(APEX, "A", 60, "192.0.2.1"),)


def test_an_alias_to_an_aws_resource_answers_its_addresses_for_a_minute() -> None:
    zone = zone_of(alias("api." + APEX, "api.aws.", "ZAWS"))
    assert ask(zone, "api." + APEX).records == (ResourceRecord("api." + APEX, "A", 60, "127.0.0.1"),)


def test_an_alias_to_an_unknown_resource_or_of_another_type_has_no_data() -> None:
    zone = zone_of(
        alias("api." + APEX, "gone.aws.", "ZAWS"),
        RecordSet("api." + APEX, "AAAA", alias=AliasTarget("ZAWS", "api.aws.", True)),
    )
    for rtype in ("A", "AAAA"):
        given = ask(zone, "api." + APEX, rtype)
        assert (given.code, given.records) == (ResponseCode.NOERROR, ())
        assert given.authority


def test_an_alias_into_nowhere_has_no_data() -> None:
    for target in ("none." + APEX, "elsewhere.example."):
        assert ask(zone_of(alias("api." + APEX, target)), "api." + APEX).records == ()


def test_an_alias_inherits_the_health_of_its_target_when_told_to() -> None:
    east = a("east." + APEX, "192.0.2.1", health_check_id="one")
    west = a("west." + APEX, "192.0.2.2", health_check_id="two")

    def pair(*, evaluate: bool) -> Zone:
        return zone_of(
            alias(
                "api." + APEX,
                "east." + APEX,
                evaluate=evaluate,
                failover=Failover.PRIMARY,
                set_identifier="p",
            ),
            alias(
                "api." + APEX,
                "west." + APEX,
                evaluate=evaluate,
                failover=Failover.SECONDARY,
                set_identifier="s",
            ),
            east,
            west,
        )

    assert values(ask(pair(evaluate=True), "api." + APEX, sick=["one"])) == ["192.0.2.2"]
    assert values(ask(pair(evaluate=False), "api." + APEX, sick=["one"])) == ["192.0.2.1"]
    assert values(ask(pair(evaluate=True), "api." + APEX, sick=["one", "two"])) == ["192.0.2.1"]


def test_an_alias_is_healthy_while_any_record_of_its_target_is() -> None:
    zone = zone_of(
        alias("api." + APEX, "east." + APEX, failover=Failover.PRIMARY, set_identifier="p"),
        a("api." + APEX, "192.0.2.9", failover=Failover.SECONDARY, set_identifier="s"),
        a("east." + APEX, "192.0.2.1", weight=1, set_identifier="1", health_check_id="one"),
        a("east." + APEX, "192.0.2.2", weight=1, set_identifier="2", health_check_id="two"),
    )
    assert values(ask(zone, "api." + APEX, sick=["one"])) == ["192.0.2.2"]
    assert values(ask(zone, "api." + APEX, sick=["one", "two"])) == ["192.0.2.9"]


def test_an_alias_with_a_health_check_of_its_own_needs_both_to_be_well() -> None:
    zone = zone_of(
        alias(
            "api." + APEX,
            "east." + APEX,
            failover=Failover.PRIMARY,
            set_identifier="p",
            health_check_id="own",
        ),
        a("api." + APEX, "192.0.2.9", failover=Failover.SECONDARY, set_identifier="s"),
        a("east." + APEX, "192.0.2.1"),
    )
    assert values(ask(zone, "api." + APEX)) == ["192.0.2.1"]
    assert values(ask(zone, "api." + APEX, sick=["own"])) == ["192.0.2.9"]


def test_aliases_to_api_gateway_fail_over_by_their_health_checks() -> None:
    zone = zone_of(
        alias(
            "api." + APEX,
            "gone.aws.",
            "ZAWS",
            failover=Failover.PRIMARY,
            set_identifier="p",
            health_check_id="one",
        ),
        alias("api." + APEX, "api.aws.", "ZAWS", failover=Failover.SECONDARY, set_identifier="s"),
    )
    assert values(ask(zone, "api." + APEX)) == []
    assert values(ask(zone, "api." + APEX, sick=["one"])) == ["127.0.0.1"]


def test_a_circle_of_aliases_ends_without_data() -> None:
    zone = zone_of(alias("a." + APEX, "b." + APEX), alias("b." + APEX, "a." + APEX))
    assert ask(zone, "a." + APEX).records == ()


def test_without_a_source_of_addresses_an_aws_alias_has_none() -> None:
    around = Circumstances(is_healthy=lambda _: True, client_region="us-east-1", pick=lambda _: 0)
    given = answer(zone_of(alias("api." + APEX, "api.aws.", "ZAWS")), "api." + APEX, "A", around)
    assert given.records == ()


def test_a_text_below_a_name_that_is_a_cname_is_answered_until_others_are_delegated_it() -> None:
    said, below = '"payinfra-canary demo run1 1"', f"payinfra-canary.failover.{APEX}"
    cname = RecordSet(f"failover.{APEX}", "CNAME", 60, ("api.aws.",))
    text = RecordSet(f"run1.{below}", "TXT", 60, (said,))
    assert values(ask(zone_of(cname, text), text.name, "TXT")) == [said]
    given = ask(zone_of(cname, text, RecordSet(below, "NS", 60, ("ns.elsewhere.",))), text.name, "TXT")
    assert (values(given), given.authoritative) == ([], False)
