"""The runner records what checks say, and what happens when they say nothing, nonsense, or crash."""

from collections.abc import Iterator
from typing import cast

import pytest

from payinfra.checks.manifest import Json, Manifest, Resource
from payinfra.checks.model import Check, check
from payinfra.checks.outcome import SkippedCheck
from payinfra.checks.runner import Judged, run, without_missing
from payinfra.checks.verdicts import Kind, Severity, Verdict
from payinfra.core.errors import EnvironmentUnusable

MANIFEST = Manifest.from_json(
    {
        "resource": {
            "aws_x": {"a": {"//": {"metadata": {"path": "stack/a"}}, "ok": True}, "b": {"ok": False}},
            "aws_y": {"c": {}},
        }
    }
)


@check(id="PI-X-001", title="Is ok", severity=Severity.HIGH, on="aws_x", risk="r", fix="f", controls=("C",))
def is_ok(resource: Resource, manifest: Manifest) -> Verdict:
    """Pass where it says so."""
    return Verdict.passed("fine") if resource.flag("ok") is True else Verdict.failed("not ok")


@check(id="PI-X-002", title="Absent", severity=Severity.LOW, on="aws_none", risk="r", fix="f")
def absent(resource: Resource, manifest: Manifest) -> Verdict:
    """Never called."""
    raise AssertionError


@check(id="PI-X-003", title="All", severity=Severity.LOW, risk="r", fix="f")
def everything(manifest: Manifest) -> Iterator[Verdict]:
    """Say something of a resource, of the file, and of a file."""
    yield Verdict.warn("of a", "aws_x.a")
    yield Verdict.unknown("of all")
    yield Verdict.failed("of a file", file="src/a.py", line=3)
    yield Verdict.passed()


@check(id="PI-X-004", title="Crashes", severity=Severity.MEDIUM, on="aws_x", risk="r", fix="f")
def crashes(resource: Resource, manifest: Manifest) -> Verdict:
    """Raise on one of two."""
    if resource.name == "a":
        raise KeyError("boom")
    return Verdict.passed()


@check(id="PI-X-005", title="Crashes late", severity=Severity.MEDIUM, risk="r", fix="f")
def crashes_late(manifest: Manifest) -> Iterator[Verdict]:
    """Say something, then raise without a message."""
    yield Verdict.failed("before")
    raise RecursionError


@check(id="PI-X-006", title="Silent", severity=Severity.LOW, risk="r", fix="f")
def silent(manifest: Manifest) -> tuple[Verdict, ...]:
    """Say nothing."""
    return ()


@check(id="PI-X-007", title="Nonsense", severity=Severity.LOW, risk="r", fix="f")
def nonsense(manifest: Manifest) -> list[Verdict]:
    """Give something that is no verdict."""
    return cast("list[Verdict]", ["green"])


@check(id="PI-X-008", title="Nothing", severity=Severity.LOW, risk="r", fix="f")
def nothing(manifest: Manifest) -> Verdict:
    """Give None, as a function does that forgot its return."""
    return cast("Verdict", None)


@check(id="PI-ENG-001", title="Engine", severity=Severity.CRITICAL, risk="r", fix="f")
def engine(manifest: Manifest) -> Verdict:
    """Pass."""
    return Verdict.passed()


def judge(*checks: Check) -> tuple[Judged, ...]:
    """The checks over the manifest above."""
    return run(checks, [MANIFEST])


def test_a_check_is_asked_about_each_resource_and_its_finding_has_everything() -> None:
    (judged,) = judge(is_ok)

    assert judged.result.counts == {Kind.PASS: 1, Kind.FAIL: 1}
    assert judged.result.message == "fine"
    (finding,) = judged.findings
    assert (finding.id, finding.verdict, finding.severity) == ("PI-X-001", Kind.FAIL, Severity.HIGH)
    assert (finding.address, finding.message, finding.title) == ("aws_x.b", "not ok", "Is ok")
    assert (finding.risk, finding.fix, finding.controls) == ("r", "f", ("C",))
    assert (finding.file, finding.line, finding.construct, finding.note) == ("cdk.tf.json", 0, "", "")


def test_a_check_of_a_type_that_is_not_there_is_not_applicable() -> None:
    (judged,) = judge(absent)

    assert judged.result.counts == {Kind.NOT_APPLICABLE: 1}
    assert judged.findings == ()


def test_a_check_of_the_manifest_places_its_own_verdicts() -> None:
    (judged,) = judge(everything)

    assert [(one.address, one.construct, one.file, one.line) for one in judged.findings] == [
        ("aws_x.a", "stack/a", "cdk.tf.json", 0),
        ("", "", "cdk.tf.json", 0),
        ("src/a.py", "", "src/a.py", 3),
    ]
    assert judged.result.counts[Kind.PASS] == 1


def test_a_check_that_raises_is_an_error_under_its_own_id_and_the_others_go_on() -> None:
    crashed, ok = judge(crashes, is_ok)

    (finding,) = crashed.findings
    assert (finding.id, finding.verdict, finding.address) == ("PI-X-004", Kind.ERROR, "aws_x.a")
    assert finding.message.startswith("the check raised KeyError: 'boom' (test_runner.py:")
    assert crashed.result.counts == {Kind.ERROR: 1, Kind.PASS: 1}
    assert crashed.crashed
    assert not ok.crashed


def test_what_a_check_said_before_it_raised_is_kept() -> None:
    (judged,) = judge(crashes_late)

    assert [one.verdict for one in judged.findings] == [Kind.FAIL, Kind.ERROR]
    assert judged.findings[1].message.startswith("the check raised RecursionError (")


def test_the_engines_own_check_fails_when_another_did_not_run_to_its_end() -> None:
    judged = judge(crashes, engine, crashes_late)

    (finding,) = judged[1].findings
    assert finding.verdict is Kind.ERROR
    assert finding.message == "not every check ran to its end: PI-X-004, PI-X-005"


def test_the_engines_own_check_passes_when_all_ran() -> None:
    assert judge(engine, is_ok)[0].findings == ()


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (silent, "the check gave no verdict"),
        (nonsense, "the check gave a str where a verdict is due"),
        (nothing, "the check raised TypeError"),
    ],
)
def test_a_check_that_judges_nothing_is_an_error(one: Check, said: str) -> None:
    (judged,) = judge(one)

    assert [finding.verdict for finding in judged.findings] == [Kind.ERROR]
    assert said in judged.findings[0].message


def test_an_interrupt_is_no_crash() -> None:
    @check(id="PI-X-009", title="t", severity=Severity.LOW, risk="r", fix="f")
    def interrupted(manifest: Manifest) -> Verdict:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(interrupted)


def test_several_manifests_are_counted_together_and_told_apart() -> None:
    other = Manifest.parse('{"resource": {"aws_x": {"z": {}}}}', file="other.tf.json")

    (judged,) = run([is_ok], [MANIFEST, other])

    assert judged.result.counts == {Kind.PASS: 1, Kind.FAIL: 2}
    assert [one.file for one in judged.findings] == ["cdk.tf.json", "other.tf.json"]


def test_a_manifest_without_resources_is_nothing_to_check() -> None:
    with pytest.raises(EnvironmentUnusable, match="has no resources"):
        run([is_ok], [MANIFEST, Manifest.from_json({"provider": {"aws": {}}})])


def test_a_check_whose_package_is_missing_is_skipped_with_the_reason() -> None:
    needy = check(
        id="PI-X-010", title="t", severity=Severity.LOW, risk="r", fix="f", needs="no_such_package"
    )(lambda manifest: Verdict.passed())
    able = check(id="PI-X-011", title="t", severity=Severity.LOW, risk="r", fix="f", needs="json")(
        lambda manifest: Verdict.passed()
    )

    assert without_missing([needy, is_ok, able]) == (
        (is_ok, able),
        (SkippedCheck("PI-X-010", "needs the package no_such_package, which is not installed"),),
    )


@check(id="PI-X-010", title="Guarded", severity=Severity.HIGH, on="aws_x", risk="r", fix="f")
def guarded(resource: Resource, manifest: Manifest) -> Verdict:
    """Pass where a guard of its own belongs to it."""
    attached = manifest.attached(resource, "aws_guard", by="of").resources
    return Verdict.passed() if attached else Verdict.failed("it has no guard")


@check(id="PI-X-011", title="Alone", severity=Severity.HIGH, on="aws_x", risk="r", fix="f")
def unguarded(resource: Resource, manifest: Manifest) -> Verdict:
    """The other way round."""
    attached = manifest.attached(resource, "aws_guard", by="of").resources
    return Verdict.failed("it has a guard") if attached else Verdict.passed()


@check(id="PI-X-012", title="All guarded", severity=Severity.HIGH, risk="r", fix="f")
def all_guarded(manifest: Manifest) -> Iterator[Verdict]:
    """Say of the whole what `guarded` says of each, with a warning beside."""
    yield Verdict.warn("look at it", "aws_x.x")
    if not manifest.all("aws_guard"):
        yield Verdict.failed("there is no guard", "aws_x.x")


@check(id="PI-X-013", title="Guards are good", severity=Severity.HIGH, on="aws_guard", risk="r", fix="f")
def good_guard(guard: Resource, manifest: Manifest) -> Verdict:
    """Fail on what is itself conditional."""
    return Verdict.failed("it is no good")


def conditional(*conditions: str) -> Manifest:
    """A resource, and a guard for each condition, which decides whether it is made."""
    guards: Json = {
        f"g{number}": {"of": "${aws_x.x.id}", "count": f"${{var.{name} ? 1 : 0}}"}
        for number, name in enumerate(conditions)
    }
    variables: Json = {name: {} for name in conditions}
    return Manifest.from_json({"variable": variables, "resource": {"aws_x": {"x": {}}, "aws_guard": guards}})


def said(check: Check, manifest: Manifest) -> list[tuple[Kind, str, str]]:
    """What one check says of a manifest."""
    (judged,) = run([check], [manifest])
    return [(one.verdict, one.address, one.message) for one in judged.findings]


def test_what_only_a_condition_makes_pass_is_unknown() -> None:
    without = "it depends on ${var.on}: without what that makes, "

    assert said(guarded, conditional("on")) == [(Kind.UNKNOWN, "aws_x.x", f"{without}it has no guard")]
    assert said(all_guarded, conditional("on")) == [
        (Kind.WARN, "aws_x.x", "look at it"),
        (Kind.UNKNOWN, "aws_x.x", f"{without}there is no guard"),
    ]


def test_what_only_a_condition_makes_fail_is_unknown() -> None:
    with_it = "it depends on ${var.on}: with what that makes, it has a guard"

    assert said(unguarded, conditional("on")) == [(Kind.UNKNOWN, "aws_x.x", with_it)]


def test_what_is_wrong_with_the_conditional_thing_itself_stays_a_failure() -> None:
    assert said(good_guard, conditional("on")) == [(Kind.FAIL, "aws_guard.g0", "it is no good")]


def test_one_of_several_conditions_is_enough_and_many_are_taken_together() -> None:
    assert said(guarded, conditional("a", "b")) == []
    assert said(guarded, conditional("a", "b", "c", "d", "e", "f")) == []
    assert said(crashes_without, conditional("a", "b", "c", "d", "e", "f"))[0][0] is Kind.UNKNOWN


@check(id="PI-X-014", title="Many", severity=Severity.HIGH, risk="r", fix="f")
def crashes_without(manifest: Manifest) -> Verdict:
    """Fail where fewer than four guards are left."""
    few = len(manifest.all("aws_guard")) < 4
    return Verdict.failed("too few") if few else Verdict.passed()
