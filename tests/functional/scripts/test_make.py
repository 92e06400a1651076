"""What `make` runs, as it says with `--dry-run`, which runs nothing."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def commands(target: str) -> list[str]:
    """The commands of a target, in their order."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],
        cwd=ROOT,
        env=mine,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_what_the_end_to_end_tests_asked_aws_for_is_judged_and_nothing_of_an_earlier_run() -> None:
    records = str(ROOT / ".conformance")
    about = [one for one in commands("tests") if records in one or "scripts.conformance" in one]
    emptied, *recorded, judged = about
    assert emptied.startswith("rm -rf ")
    assert emptied.endswith(f" {records} && mkdir -p {records}")
    assert [one.startswith(f"PAYINFRA_LOCAL_RECORD={records} ") for one in recorded] == [True, True]
    assert recorded[0].endswith(" tests/e2e --ignore=tests/e2e/drill")
    assert recorded[1].endswith(" tests/e2e/drill")
    assert judged.endswith(f" -m scripts.conformance {records}")
    assert judged in commands("test")
