"""A health check's switches, as Route 53 writes them."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

from payinfra.local.server.patches.route53 import keep_lists, truth_in_lower_case


def as_the_emulator_writes(parent: Element, check: Mapping[str, object]) -> None:
    for name, value in check.items():
        SubElement(parent, name).text = str(value)


def test_switches_are_written_as_xml_has_them_and_the_rest_as_it_is() -> None:
    answer = Element("HealthCheck")
    check = {"EnableSNI": True, "Inverted": False, "Port": 443, "SearchString": "It is True"}
    truth_in_lower_case(as_the_emulator_writes)(answer, check)
    assert {each.tag: each.text for each in answer} == {
        "EnableSNI": "true",
        "Inverted": "false",
        "Port": "443",
        "SearchString": "It is True",
    }


def as_the_emulator_reads(element: Element) -> dict[str, object]:
    return {each.tag.rpartition("}")[2]: ["" for _ in each] for each in element if len(each)}


def test_a_health_check_keeps_its_regions_and_the_checks_that_it_counts() -> None:
    asked = Element("{https://route53.amazonaws.com/doc/2013-04-01/}HealthCheckConfig")
    for listing, names in (("ChildHealthChecks", ("one", "two")), ("Regions", ("eu-west-1",))):
        inner = SubElement(asked, f"{{https://route53.amazonaws.com/doc/2013-04-01/}}{listing}")
        for name in names:
            SubElement(inner, "member").text = name
    assert keep_lists(as_the_emulator_reads)(asked) == {
        "ChildHealthChecks": ["one", "two"],
        "Regions": ["eu-west-1"],
    }
