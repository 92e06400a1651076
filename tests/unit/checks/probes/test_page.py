"""The page about `verify` names every probe as it is."""

from pathlib import Path

from payinfra.checks.probes.drift import DRIFT
from payinfra.checks.probes.drill_faults import DRILL_FAULTS
from payinfra.checks.probes.outage import ANSWERS
from payinfra.checks.probes.verify import load

PAGE = Path(__file__).resolve().parents[4] / "docs" / "verify.md"


def test_the_page_has_a_row_for_each_probe() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for probe in load():
        asks = (probe.judge.__doc__ or "").strip().splitlines()[0]
        on_aws = f", on AWS {probe.on_aws_s:g} s" if probe.on_aws_s else ""
        assert f"| {probe.rule.id} | {probe.rule.title} | {asks} | {probe.within_s:g} s{on_aws} |" in page
    for rule in (ANSWERS, DRIFT, DRILL_FAULTS):
        assert f"| {rule.id} | {rule.title} |" in page
    assert page.count("| LIVE-") == len(load()) + 3
