"""How long the policy checks take over our own stack and over large ones: `python -m bench.checks`.

The stack is synthesized first, unless `--manifest FILE` names one. In-process times are medians after one
warm run (start-up, which loads the catalogue and its reference data, is shown apart); those of the command
are of whole processes. It ends with 1 if a goal is missed, and with 2 if a command failed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.commands import ENVIRONMENT
from bench.goals import Goal, say, verdict
from bench.timing import CommandFailed, environment
from bench.wide_stack import wide_stack

STACKS = 31
LARGE = 2000
HUGE = 100_000_000
PLAN = Path(__file__).parent.parent / "tests" / "support" / "public_stacks" / "data-lake" / "plan.json"
RUNS = 9
SCRIPT = str(Path(sys.executable).with_name("payinfra"))
"""The console script beside this Python."""


@dataclass(frozen=True)
class MeasuredProcess:
    """One run of a command: wall time in seconds, peak resident memory in bytes."""

    seconds: float
    peak: int


def under(promise: str, measured: float, limit: float, unit: str) -> Goal:
    """A promise that a measure stays below a limit; `unit` is what both are in."""
    return Goal(f"{promise}: {limit:g} {unit} at most", f"{measured:.2f} {unit}", measured <= limit)


def synthesized(folder: Path) -> Path:
    """Our own stack, synthesized into the folder."""
    done = subprocess.run(
        [SCRIPT, "synth", "--env", ENVIRONMENT],
        cwd=folder,
        env=environment(PAYINFRA_TARGET="aws"),
        capture_output=True,
        text=True,
    )
    found = sorted(folder.glob(".payinfra/**/cdk.tf.json"))
    if done.returncode != 0 or not found:
        raise CommandFailed(f"synth ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return found[0]


def process(arguments: Sequence[str], folder: Path) -> MeasuredProcess:
    """Run payinfra once; its findings may fail the gate, but it has to judge."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [SCRIPT, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        raise CommandFailed(f"payinfra {' '.join(arguments)} ended with {child.returncode}")
    # Linux counts in KiB, macOS in bytes.
    return MeasuredProcess(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def median_seconds(action: Callable[[], object], runs: int = RUNS) -> float:
    """The median wall time of an action that was done once before."""
    action()
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def in_process(manifest: Path, folder: Path) -> tuple[Goal, ...]:
    """The catalogue inside one process: over one stack, and over copies of it that are told apart."""
    began = time.perf_counter()
    from payinfra.checks.api import CheckRequest, run_checks

    one = CheckRequest((manifest,), env=ENVIRONMENT)
    first = run_checks(one)
    say(
        f"start-up and first run: {(time.perf_counter() - began) * 1000:.0f} ms,"
        f" {first.summary.checks} checks over {first.summary.resources} resources"
    )
    copies = []
    for number in range(STACKS):
        copy = folder / f"stack{number}"
        # Relative paths in it, such as the function's zip, start from the file's own folder.
        shutil.copytree(manifest.parent, copy)
        copies.append(copy / manifest.name)
    many = CheckRequest(tuple(copies), env=ENVIRONMENT)
    return (
        under("the whole catalogue over our stack", median_seconds(lambda: run_checks(one)) * 1000, 50, "ms"),
        under(f"{STACKS} stacks in one run", median_seconds(lambda: run_checks(many), 3) * 1000, 1000, "ms"),
    )


def as_process(manifest: Path, folder: Path) -> tuple[Goal, ...]:
    """The command as a person and a CI run it."""
    arguments = ("check", "--manifest", str(manifest), "--env", ENVIRONMENT, "--format", "json")
    process(arguments, folder)
    runs = [process(arguments, folder) for _ in range(RUNS)]
    say(f"peak memory of the process: {max(run.peak for run in runs) / 1024**2:.0f} MiB")
    seconds = statistics.median(run.seconds for run in runs)
    return (under("check --manifest as a process", seconds, 0.6, "s"),)


def large(folder: Path, checkov: Path | None) -> tuple[Goal, ...]:
    """The command over stacks of other teams' size; beside it, if there is one, checkov."""
    runs: dict[int, MeasuredProcess] = {}
    for resources in (LARGE, 2 * LARGE):
        file = folder / f"wide{resources}" / "cdk.tf.json"
        file.parent.mkdir()
        file.write_text(json.dumps(wide_stack(resources)))
        arguments = ("check", "--manifest", str(file), "--env", "demo", "--format", "json")
        process(arguments, folder)
        runs[resources] = min((process(arguments, folder) for _ in range(3)), key=lambda run: run.seconds)
        say(f"{resources} resources: {runs[resources].seconds:.2f} s, {_mib(runs[resources].peak):.0f} MiB")
    if checkov is None:
        say("checkov is not on PATH: nothing is judged beside it.")
    else:
        _beside(checkov, folder / f"wide{LARGE}" / "cdk.tf.json", runs[LARGE])
    return (
        under(f"{LARGE} resources", runs[LARGE].seconds, 2, "s"),
        under(f"{LARGE} resources in memory", _mib(runs[LARGE].peak), 300, "MiB"),
        under("twice the resources", runs[2 * LARGE].seconds / runs[LARGE].seconds, 2.5, "times the time"),
    )


def huge(folder: Path) -> tuple[Goal, ...]:
    """A plan of 100 MB, in which most resources are alike."""
    plan = json.loads(PLAN.read_text(encoding="utf-8"))
    changes = plan["resource_changes"]
    one = next(each for each in changes if each["type"] == "aws_kinesis_stream")
    after = {**one["change"]["after"], "name": "x" * 2000}
    size = len(json.dumps(one)) + 2000
    for number in range(HUGE // size):
        address = {"address": f"aws_kinesis_stream.s{number}", "name": f"s{number}"}
        changes.append({**one, **address, "change": {**one["change"], "after": after}})
    file = folder / "huge.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    run = process(("check", "--plan", str(file), "--env", "demo", "--format", "json"), folder)
    return (
        under(f"a plan of {_mib(file.stat().st_size):.0f} MiB", run.seconds, 60, "s"),
        under("a plan of that size in memory", _mib(run.peak), 800, "MiB"),
    )


def _beside(checkov: Path, file: Path, ours: MeasuredProcess) -> None:
    """What checkov takes for the same file, and how much it finds."""
    command = [str(checkov), "--file", str(file), "--framework", "terraform_json", "--compact", "--quiet"]
    began = time.perf_counter()
    done = subprocess.run([*command, "--output", "json", "--soft-fail"], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    try:
        report = json.loads(done.stdout)
        failed = (report[0] if isinstance(report, list) else report)["summary"]["failed"]
    except (ValueError, KeyError, IndexError):
        raise CommandFailed(f"checkov printed no report:\n{done.stderr[-4000:]}") from None
    say(f"checkov: {seconds:.2f} s, {seconds / ours.seconds:.1f} times as long, {failed} findings")


def _mib(size: int) -> float:
    return size / 1024**2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--manifest", type=Path, help="measure over this file instead of our own stack")
    parser.add_argument(
        "--checkov",
        type=Path,
        default=shutil.which("checkov"),
        help="a checkov to judge the large stack beside; by default the one on PATH",
    )
    given = parser.parse_args()
    chosen = given.manifest
    with tempfile.TemporaryDirectory(prefix="payinfra-bench-") as made:
        folder = Path(made)
        try:
            manifest = chosen.resolve() if chosen else synthesized(folder)
            goals = (*in_process(manifest, folder), *as_process(manifest, folder))
            return verdict([*goals, *large(folder, given.checkov), *huge(folder)])
        except CommandFailed as failure:
            sys.stderr.write(f"{failure}\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
