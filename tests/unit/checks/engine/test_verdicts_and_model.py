"""Severities, verdicts, rules, and how a function becomes a check."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from payinfra.checks.manifest import Manifest, Resource
from payinfra.checks.model import ManifestCheck, ResourceCheck, check, checks_in, gather
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict


@check(id="PI-AAA-001", title="One", severity=Severity.LOW, on="aws_x", risk="r", fix="f", controls=("C",))
def one(resource: Resource, manifest: Manifest) -> Verdict:
    """Pass on everything, and say on what."""
    return Verdict.passed(resource.address)


@check(id="PI-AAA-002", title="Two", severity=Severity.HIGH, risk="r", fix="f", needs="some_package")
def two(manifest: Manifest) -> Iterator[Verdict]:
    """Fail twice."""
    yield Verdict.failed("a")
    yield Verdict.failed("b")


def module(name: str, **content: object) -> ModuleType:
    """A module with that content."""
    made = ModuleType(name)
    vars(made).update(content)
    return made


def test_severities_are_ordered() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert Severity.CRITICAL.at_least(Severity.HIGH)
    assert Severity.HIGH.at_least(Severity.HIGH)
    assert not Severity.LOW.at_least(Severity.MEDIUM)


def test_a_verdicts_kind_is_written_as_its_name() -> None:
    assert [str(kind) for kind in Kind] == ["PASS", "WARN", "FAIL", "NOT_APPLICABLE", "UNKNOWN", "ERROR"]


def test_every_constructor_gives_its_kind() -> None:
    assert Verdict.passed("m", "a") == Verdict(Kind.PASS, "m", "a")
    assert Verdict.not_applicable("m", "a") == Verdict(Kind.NOT_APPLICABLE, "m", "a")
    assert Verdict.error("m", "a") == Verdict(Kind.ERROR, "m", "a")
    assert Verdict.failed("m", "a", file="f", line=2) == Verdict(Kind.FAIL, "m", "a", "f", 2)
    assert Verdict.warn("m", "a", file="f", line=2) == Verdict(Kind.WARN, "m", "a", "f", 2)
    assert Verdict.unknown("m", "a", file="f", line=2) == Verdict(Kind.UNKNOWN, "m", "a", "f", 2)


@pytest.mark.parametrize("id", ["", "PI", "PI-S3", "PI-S3-1", "pi-s3-001", "PI-S3-001 ", "PI_S3_001"])
def test_a_malformed_id_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="is not an id"):
        Rule(id, "t", Severity.LOW, "r", "f")


@pytest.mark.parametrize(("title", "risk", "fix"), [("", "r", "f"), ("t", " ", "f"), ("t", "r", "")])
def test_a_rule_without_one_of_its_texts_is_refused(title: str, risk: str, fix: str) -> None:
    with pytest.raises(ValueError, match="PI-S3-001 has no"):
        Rule("PI-S3-001", title, Severity.LOW, risk, fix)


def test_a_check_is_called_as_its_function() -> None:
    manifest = Manifest.from_json({"resource": {"aws_x": {"y": {}}}})

    assert isinstance(one, ResourceCheck)
    assert one(manifest.resources[0], manifest) == Verdict.passed("aws_x.y")
    assert isinstance(two, ManifestCheck)
    said = two(manifest)
    assert not isinstance(said, Verdict)
    assert [verdict.message for verdict in said] == ["a", "b"]


def test_a_check_carries_what_it_was_given() -> None:
    assert isinstance(one, ResourceCheck)
    assert one.on == ("aws_x",)
    assert one.rule == Rule("PI-AAA-001", "One", Severity.LOW, "r", "f", ("C",))
    assert two.needs == "some_package"


def test_a_check_may_be_of_several_types() -> None:
    made = check(id="PI-B-001", title="t", severity=Severity.LOW, risk="r", fix="f", on=("a", "b"))(
        lambda resource, manifest: Verdict.passed()
    )

    assert made.on == ("a", "b")


def test_a_modules_checks_are_its_own_in_their_order() -> None:
    home = module(__name__, b=two, a=one, other=3)
    guest = module("guest", borrowed=one)

    assert checks_in(home) == (two, one)
    assert checks_in(guest) == ()
    assert gather([home, guest]) == (two, one)


def test_an_id_that_is_used_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"PI-AAA-001 is in .* and in "):
        gather([module(__name__, a=one), module(__name__, b=one)])
