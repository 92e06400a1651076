"""What cannot be known is said once, with what would make it known."""

import json
from pathlib import Path

import pytest

from payinfra.checks.api import CheckRequest, run_checks
from payinfra.checks.causes import Cause, cause_in, one_per_cause
from payinfra.checks.manifest import Json, Manifest
from payinfra.checks.outcome import Finding, Stopped
from payinfra.checks.verdicts import Kind, Severity

SET = "Set the variable home (--var NAME=VALUE), or judge a plan (--plan FILE)."
PLAN = "Judge a plan, in which Terraform has evaluated it: --plan FILE."


@pytest.fixture
def manifest() -> Manifest:
    """A stack in which much is not known."""
    root: dict[str, Json] = {
        "variable": {"home": {}, "size": {}, "known": {"default": "x"}},
        "locals": {
            "home": "${var.home}",
            "key": "${aws_kms_key.k.arn}",
            "list": ["${var.size}", {"a": "${var.home}"}],
            "round": "${local.round}",
            "number": 3,
        },
        "resource": {
            "aws_kms_key": {"k": {}},
            "aws_x": {
                "named": {"name": "pay-${var.home}"},
                "plain": {"name": "pay"},
                "circle": {"name": "${aws_x.circle.name}"},
            },
        },
    }
    return Manifest.from_json(root)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("it has no name", None),
        ("of ${local[0]}", Cause(("local",), PLAN)),
        ("of ${local.number}", None),
        ("of ${var.known}", None),
        ("of ${local.round} and ${each.key}", None),
        ("of ${= unreadable", None),
        ("of ${aws_x.circle.name}", None),
        (
            "region cannot be resolved here: ${var.home}",
            Cause(("var.home",), SET),
        ),
        (
            "of ${local.list}",
            Cause(
                ("var.home", "var.size"),
                "Set the variables home and size (--var NAME=VALUE), or judge a plan (--plan FILE).",
            ),
        ),
        (
            "of ${aws_x.named.name} and ${aws_kms_key.k.arn}",
            Cause(("var.home",), SET),
        ),
        ("of ${local.home}", Cause(("var.home",), SET)),
        ("of ${aws_x.plain.arn}", Cause(("aws_x.plain",), PLAN)),
        ("of ${local.key} and ${aws_kms_key.k.id}", Cause(("aws_kms_key.k",), PLAN)),
        ("of ${data.aws_caller_identity.me.account_id}", Cause(("data.aws_caller_identity.me",), PLAN)),
        ("of ${module.net.id}", Cause(("module.net",), PLAN)),
        ("of ${local.none}", Cause(("local.none",), PLAN)),
        (
            "protection cannot be resolved here: the environment is not known",
            Cause(("environment",), "Name it (--env NAME), or tag the resources with Environment."),
        ),
        (
            "the code cannot be read: there is no file build/x.zip",
            Cause(("there is no file build/x.zip",), "Build it before the check."),
        ),
    ],
)
def test_a_cause_is_where_it_begins(message: str, cause: Cause | None, manifest: Manifest) -> None:
    assert cause_in(message, manifest) == cause


def test_of_a_plan_the_source_makes_it_known_or_nothing_does() -> None:
    shown = {"format_version": "1.2", "resource_changes": []}
    alone = Manifest.of_plan(shown, name="p")

    found = cause_in("of ${aws_x.y.arn}", alone)

    remedy = "Give the configuration that the plan was made from: --source DIR."
    assert found == Cause(("aws_x.y",), remedy)
    assert cause_in("of ${known_after_apply()}", alone) == Cause(("configuration",), remedy)


def finding(id: str, severity: Severity, cause: tuple[str, ...] = (), **more: str) -> Finding:
    """A finding that could not be judged."""
    address = more.get("address", "aws_x.y")
    file = more.get("file", "cdk.tf.json")
    return Finding(
        id, Kind.UNKNOWN, severity, "t", address, f"message of {id}", "f", "r", file=file, cause=cause
    )


def test_findings_of_one_cause_are_one_the_gravest() -> None:
    found = one_per_cause(
        [
            finding("PI-A-001", Severity.LOW, ("var.home",)),
            finding("PI-A-002", Severity.HIGH),
            finding("PI-B-001", Severity.CRITICAL, ("var.home",), address="aws_x.z"),
            finding("PI-B-001", Severity.CRITICAL, ("var.home",)),
            finding("PI-C-001", Severity.LOW, ("var.home",), file="other.tf.json"),
            finding("PI-C-001", Severity.LOW, ("var.size",)),
        ]
    )

    assert [(one.id, one.address, one.file, one.cause) for one in found] == [
        ("PI-B-001", "aws_x.z", "cdk.tf.json", ("var.home",)),
        ("PI-A-002", "aws_x.y", "cdk.tf.json", ()),
        ("PI-C-001", "aws_x.y", "other.tf.json", ("var.home",)),
        ("PI-C-001", "aws_x.y", "cdk.tf.json", ("var.size",)),
    ]
    assert found[0].message == (
        "message of PI-B-001; 2 more judgements for the same cause: PI-A-001, PI-B-001"
    )
    assert found[0].stopped == (Stopped("PI-A-001", "aws_x.y"), Stopped("PI-B-001", "aws_x.y"))
    assert found[1].stopped == ()


def test_several_of_one_check_are_counted() -> None:
    found = one_per_cause([finding("PI-A-001", Severity.LOW, ("var.home",)) for _ in range(4)])

    assert found[0].message == "message of PI-A-001; 3 more judgements for the same cause: PI-A-001 (3)"


def test_a_region_that_is_not_known_is_one_finding_with_what_to_do(tmp_path: Path) -> None:
    document = {
        "variable": {"home": {}},
        "provider": {
            "aws": [{"alias": "home", "region": "${var.home}"}, {"alias": "away", "region": "eu-central-1"}]
        },
        "resource": {
            "aws_sns_topic": {
                f"t{number}": {
                    "provider": "aws.home",
                    "name": "t",
                    "kms_master_key_id": "${aws_kms_key.k.arn}",
                }
                for number in range(10)
            },
            "aws_kms_key": {"k": {"provider": "aws.away"}},
        },
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document))

    outcome = run_checks(CheckRequest((tmp_path / "cdk.tf.json",)))

    unknown = [one for one in outcome.findings if one.cause == ("var.home",)]
    assert len(unknown) == 1
    assert len(unknown[0].stopped) > 10
    assert unknown[0].fix.startswith("Set the variable home (--var NAME=VALUE)")
    assert outcome.summary.counts[Kind.UNKNOWN] == sum(
        one.verdict is Kind.UNKNOWN for one in outcome.findings
    )


def test_a_waiver_of_one_leaves_the_others(tmp_path: Path) -> None:
    document = {
        "variable": {"home": {}},
        "provider": {"aws": [{"alias": "home", "region": "${var.home}"}]},
        "resource": {"aws_sns_topic": {"t": {"provider": "aws.home", "name": "t"}}},
    }
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document))
    waivers = tmp_path / "waivers.toml"
    waivers.write_text(
        '[[waiver]]\nid = "PI-ENG-001"\naddress = "aws.home"\nreason = "r"\nowner = "o"\n'
        "expires = 2999-01-01\n"
    )

    outcome = run_checks(CheckRequest((tmp_path / "cdk.tf.json",), waivers=waivers))

    (left,) = [one for one in outcome.findings if one.cause == ("var.home",)]
    assert "PI-ENG-001" not in (left.id, *(one.id for one in left.stopped))
    assert [one.finding.id for one in outcome.waived] == ["PI-ENG-001"]
