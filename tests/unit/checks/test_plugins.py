"""Checks and probes of a company's own are found, listed and run as payinfra's are."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from payinfra.checks import catalogue
from payinfra.checks.api import CheckRequest, run_checks
from payinfra.checks.docs import own_page
from payinfra.checks.plugins import CHECKS_GROUP, PROBES_GROUP, defined_at, found_in
from payinfra.checks.probes import verify
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.verdicts import Kind
from payinfra.core.errors import UsageProblem

CHECK = """
from payinfra.checks.model import Severity, Verdict, check
from names import WANTED

@check(id="ACME-SQS-001", title="Queues are named by us", severity=Severity.HIGH, on="aws_sqs_queue",
       risk="Nobody finds them.", fix="Name them.")
def queue_is_named(queue, manifest):
    name = queue.text("name")
    return Verdict.passed() if name == WANTED else Verdict.failed(f"it is {name}")

@check(id="ACME-ALL-001", title="It raises", severity=Severity.LOW, risk="None.", fix="None.")
def raises(manifest):
    raise ValueError("ours")
"""
PROBE = """
from payinfra.checks.probes.model import Severity, Verdict, regional

@regional("ACME-LIVE-001", title="The queue is there", severity=Severity.HIGH, risk="None.", fix="None.")
def queue_is_there(live, site):
    return Verdict.passed()
"""
QUEUE = '{"resource": {"aws_sqs_queue": {"q": {"name": "theirs"}}}}'


def project(folder: Path, **files: str) -> Path:
    (folder / "payinfra.toml").touch()
    (folder / "names.py").write_text('WANTED = "acme"\n')
    (folder / "checks").mkdir()
    for name, text in files.items():
        (folder / "checks" / f"{name}.py").write_text(text)
    return folder


def test_a_folder_beside_the_settings_is_read(tmp_path: Path) -> None:
    here = project(tmp_path, queues=CHECK, live=PROBE, _private="1/0", test_it="1/0")
    found = found_in(here, ())
    assert [one.rule.id for one in found] == ["ACME-LIVE-001", "ACME-SQS-001", "ACME-ALL-001"]
    assert not [name for name in sys.modules if name.startswith("payinfra_project_checks")]
    (here / "payinfra.toml").unlink()
    assert found_in(here, ()) == ()


def test_they_are_in_the_catalogue_and_among_the_probes(tmp_path: Path) -> None:
    here = project(tmp_path, queues=CHECK, live=PROBE)
    known = catalogue.load(here)
    assert known.rule("acme-sqs-001").title == "Queues are named by us"
    assert known.types_of("ACME-SQS-001") == ("aws_sqs_queue",)
    assert "ACME-SQS-001" not in catalogue.load().ids
    chosen, _ = verify.chosen_probes(VerifyRequest(("ACME-*",), project=here))
    assert [one.rule.id for one in chosen] == ["ACME-LIVE-001"]


def test_they_have_a_page_and_say_where_they_are_defined(tmp_path: Path) -> None:
    here = project(tmp_path, queues=CHECK, live=PROBE)
    assert own_page(found_in(here, ()), here).split("-->")[1] == (
        """

# Our own checks and probes

They run beside payinfra's own. A title states what a pass means.

## Checks, of the stack

### ACME-SQS-001

**Queues are named by us** (high)

- Risk: Nobody finds them.
- Fix: Name them.
- Looks at: `aws_sqs_queue`
- Defined in: `checks/queues.py:5`

### ACME-ALL-001

**It raises** (low)

- Risk: None.
- Fix: None.
- Defined in: `checks/queues.py:11`

## Probes, of what is deployed

### ACME-LIVE-001

**The queue is there** (high)

- Risk: None.
- Fix: None.
- Is asked for at most 15 s
- Defined in: `checks/live.py:4`
"""
    )
    assert {defined_at(one, here) for one in catalogue.load().policy} == {""}


def test_they_run_are_waived_and_an_exception_is_an_error(tmp_path: Path) -> None:
    here = project(tmp_path, queues=CHECK)
    (here / "payinfra-waivers.toml").write_text(
        '[[waiver]]\nid = "ACME-ALL-001"\nreason = "known"\nuntil = 2099-01-01\n'
    )
    manifest = tmp_path / "cdk.tf.json"
    manifest.write_text(QUEUE)
    outcome = run_checks(CheckRequest(manifests=(manifest,), select=("ACME-*",), project=here, env="x"))
    found = {one.id: one for one in (*outcome.findings, *(each.finding for each in outcome.waived))}
    assert (found["ACME-SQS-001"].verdict, found["ACME-SQS-001"].message) == (Kind.FAIL, "it is theirs")
    assert found["ACME-ALL-001"].verdict is Kind.ERROR
    assert "ValueError: ours" in found["ACME-ALL-001"].message


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"a": CHECK.replace("ACME-SQS", "PI-SQS")},
            "checks/a.py: PI-SQS-001 begins as payinfra's own ids do",
        ),
        ({"a": PROBE.replace("ACME-LIVE", "LIVE-ACME")}, "LIVE-ACME-001 begins as payinfra's own ids do"),
        ({"a": CHECK, "b": CHECK}, "checks/b.py: ACME-SQS-001 is there twice"),
        ({"a": CHECK, "b": PROBE.replace("ACME-LIVE", "ACME-SQS")}, "ACME-SQS-001 is there twice"),
        ({"a": "\nimport no_such_module\n"}, "checks/a.py:2: it needs the module 'no_such_module'"),
        ({"a": CHECK.replace("ACME-SQS-001", "acme")}, "checks/a.py:5: ValueError: 'acme' is not an id"),
    ],
)
def test_what_cannot_be_taken_is_one_message(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        found_in(project(tmp_path, **files), ())
    assert said in caught.value.what
    assert caught.value.hint


def test_packages_bring_theirs_by_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acme_installed")
    monkeypatch.setitem(sys.modules, "acme_installed", module)
    code = CHECK.replace("from names import WANTED", "WANTED = 'x'") + PROBE
    exec(compile(code, "acme_installed.py", "exec"), vars(module))  # noqa: S102 - a module without a file
    entries = [EntryPoint("acme", "acme_installed", group) for group in (CHECKS_GROUP, PROBES_GROUP)]
    found = found_in(None, entries)
    assert [one.rule.id for one in found] == ["ACME-SQS-001", "ACME-ALL-001", "ACME-LIVE-001"]
    for value, said in (("no_such_package", "cannot be loaded"), ("acme_installed:raises", "is no module")):
        with pytest.raises(UsageProblem, match=said):
            found_in(None, [EntryPoint("acme", value, CHECKS_GROUP)])
