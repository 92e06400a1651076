"""What CONTRIBUTING.md shows as code works as it stands there."""

import re
import textwrap
from pathlib import Path

from payinfra.checks.manifest import Manifest
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.model import Check, ManifestCheck, ResourceCheck
from payinfra.checks.policy import logs
from payinfra.checks.verdicts import Kind, Verdict

GUIDE = Path(__file__).parents[3] / "CONTRIBUTING.md"


def shown_check() -> ResourceCheck:
    """The check of "Add a policy check", made in the module that it is meant for."""
    code = re.search(r"\n( +)@check\(\n(?:\1.*\n)+", GUIDE.read_text(encoding="utf-8"))
    assert code
    names: dict[str, object] = dict(vars(logs))
    before = set(names)
    exec(compile(textwrap.dedent(code[0]), GUIDE.name, "exec"), names)  # noqa: S102 - what the guide shows
    made = [value for name, value in names.items() if name not in before and isinstance(value, Check)]
    (found,) = made
    assert not isinstance(found, ManifestCheck)
    return found


def judged(name: str | None) -> Verdict:
    group: Json = {} if name is None else {"name": name}
    manifest = Manifest.from_json({"resource": {"aws_cloudwatch_log_group": {"g": group}}})
    (resource,) = manifest.all("aws_cloudwatch_log_group")
    verdict = shown_check()(resource, manifest)
    assert isinstance(verdict, Verdict)
    return verdict


def test_the_check_that_is_shown_judges() -> None:
    assert judged("/aws/lambda/payment").kind is Kind.PASS
    assert judged("payment").kind is Kind.FAIL
    assert judged(None).message == "it has no name"
    assert judged("${var.name}").kind is Kind.UNKNOWN


def test_its_id_is_not_taken() -> None:
    taken = {value.rule.id for value in vars(logs).values() if isinstance(value, Check)}
    assert shown_check().rule.id not in taken
