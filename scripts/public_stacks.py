"""Plans the stacks that are written like other people's, and keeps what the real Terraform says of them.

python -m scripts.public_stacks [--synth] [--page [--checkov PATH]]

Without an option every stack below tests/support/public_stacks is planned anew (without credentials and
without asking AWS) into its plan.json. With --synth the one of CDKTF is synthesized first. With --page
nothing is planned: docs/other-stacks.md is written, with the times of this machine, and with what checkov
says if one is named.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from payinfra.checks.api import CheckRequest, run_checks
from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Kind
from payinfra.terraform import Terraform, find_binary
from payinfra.terraform.jsonvalue import JsonValue

ROOT = Path(__file__).parent.parent
STACKS = ROOT / "tests" / "support" / "public_stacks"
PAGE = ROOT / "docs" / "other-stacks.md"
TEMPLATE = Path(__file__).with_name("other_stacks.md")
PAYINFRA = str(Path(sys.executable).with_name("payinfra"))
APP = "app.py"
PLAN = "plan.json"
ENVIRONMENT = "prod"
_FAKE = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def folders() -> tuple[Path, ...]:
    """The folder of each stack, by name."""
    return tuple(sorted(path for path in STACKS.iterdir() if path.is_dir() and not path.name.startswith("_")))


def planned(folder: Path, into: Path) -> JsonValue:
    """What the real Terraform shows of a plan of the stack.

    Args:
        folder: the stack; it is not written into.
        into: an empty folder to work in.
    """
    copy = into / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(PLAN, APP, "__pycache__"))
    terraform = Terraform(
        binary=find_binary(),
        folder=copy,
        data_dir=into / "data",
        log=into / "terraform.log",
        environment=os.environ | _FAKE,
    )
    terraform.init()
    return terraform.shown(terraform.plan(into / "p.tfplan").file)


def lasting(shown: JsonValue) -> dict[str, JsonValue]:
    """A plan without what differs from one planning to the next though nothing has changed."""
    return (
        {name: one for name, one in shown.items() if name != "timestamp"} if isinstance(shown, dict) else {}
    )


def judged(folder: Path) -> Outcome:
    """Everything that the checks say of a stack's plan."""
    python = folder if (folder / APP).exists() else None
    request = CheckRequest(
        plans=(folder / PLAN,), configuration=folder, source=python, env=ENVIRONMENT, ignore=("PI-TST-*",)
    )
    return run_checks(request)


def counts(outcome: Outcome) -> Mapping[Kind, int]:
    """How many findings, passes and judgements that do not apply there are."""
    found = {kind: outcome.summary.counts.get(kind, 0) for kind in (Kind.PASS, Kind.NOT_APPLICABLE)}
    for finding in outcome.findings:
        found[finding.verdict] = found.get(finding.verdict, 0) + 1
    return found


def cells(name: str, outcome: Outcome) -> tuple[str, ...]:
    """What the page says of a stack, but for times and other tools."""
    of = counts(outcome)
    kinds = (Kind.FAIL, Kind.WARN, Kind.UNKNOWN, Kind.PASS, Kind.NOT_APPLICABLE)
    return (name, str(outcome.summary.resources), *(str(of.get(kind, 0)) for kind in kinds))


def page(checkov: Path | None) -> str:
    """The page, with times measured now."""
    rows, findings, unknown = [], 0, 0
    for folder in folders():
        outcome = judged(folder)
        seconds = _process([PAYINFRA, "check", "--plan", str(folder / PLAN), "--env", ENVIRONMENT])[1]
        findings += len(outcome.findings)
        unknown += counts(outcome).get(Kind.UNKNOWN, 0)
        row = [*cells(folder.name, outcome), f"{seconds:.2f} s"]
        row += _beside(checkov, folder / PLAN) if checkov is not None else ()
        rows.append(f"| {' | '.join(row)} |")
    more = " checkov fails | checkov's time |" if checkov is not None else ""
    return TEMPLATE.read_text(encoding="utf-8").format(
        share=f"{unknown} of {findings} ({unknown / findings:.1%})",
        more=more,
        dashes=" ---: | ---: |" if more else "",
        rows="\n".join(rows),
    )


def _beside(checkov: Path, plan: Path) -> Iterator[str]:
    """How much another tool finds in a plan, and how long it takes."""
    command = [str(checkov), "--file", str(plan), "--framework", "terraform_plan", "--compact", "--quiet"]
    printed, seconds = _process([*command, "--output", "json", "--soft-fail"])
    report = json.loads(printed)
    yield str((report[0] if isinstance(report, list) else report)["summary"]["failed"])
    yield f"{seconds:.2f} s"


def _process(command: list[str]) -> tuple[str, float]:
    """What a command prints, and the seconds that the whole process takes."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout, time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--synth", action="store_true", help="synthesize the stack of CDKTF first")
    parser.add_argument("--page", action="store_true", help="judge, and write the page; plan nothing")
    parser.add_argument("--checkov", type=Path, help="a checkov to compare with")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(page(given.checkov), encoding="utf-8")
        return 0
    for folder in folders():
        with tempfile.TemporaryDirectory(prefix="payinfra-stacks-") as made:
            if given.synth and (folder / APP).exists():
                subprocess.run([sys.executable, str(folder / APP), f"{made}/out"], check=True)
                (synthesized,) = Path(made).glob("out/stacks/*/cdk.tf.json")
                # cdktf names the state's file as it lies on the machine that synthesized.
                text = synthesized.read_text(encoding="utf-8").replace(f"{Path.cwd()}/", "")
                (folder / synthesized.name).write_text(text, encoding="utf-8")
            shown = lasting(planned(folder, Path(made)))
        (folder / PLAN).write_text(json.dumps(shown, separators=(",", ":")) + "\n", encoding="utf-8")
        sys.stdout.write(f"{folder.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
