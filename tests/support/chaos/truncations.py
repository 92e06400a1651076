"""Files that payinfra writes, cut short, emptied or overwritten; then it is asked to work with them."""

import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from payinfra.core.errors import ExitCode
from payinfra.deployment.rollback_journal import AliasChange, RollbackJournal, now
from payinfra.drill.load.payment_log import PaymentLog
from payinfra.drill.load.payments import Maker
from payinfra.local import lifecycle
from tests.support.chaos.environment import NOTHING_TO_RESTORE, SCENARIOS, Struck, problems_of
from tests.support.chaos.ledger import Trial, dice

GARBAGE = b"\x00\xff\x1b[31m{garbage\n"


@dataclass(frozen=True)
class Damaged:
    """A file, what it was, and what was done to it in words."""

    path: Path
    before: bytes
    how: str

    def put_back(self) -> None:
        """Write what it was; whatever payinfra has put in its place meanwhile is dropped."""
        self.path.write_bytes(self.before)
        self.path.chmod(0o600)


def damage(path: Path, luck: random.Random) -> Damaged:
    """Cut a file somewhere, more often than not; or empty it, or overwrite a stretch of it."""
    before = path.read_bytes()
    size = len(before)
    at = luck.randrange(max(size, 1))
    match luck.choices(("cut", "empty", "garbage", "zeros"), (65, 10, 15, 10))[0]:
        case "cut":
            after, how = before[:at], f"cut after {at} of {size} bytes"
        case "empty":
            after, how = b"", "emptied"
        case "garbage":
            after = before[:at] + GARBAGE + before[at + len(GARBAGE) :]
            how = f"garbage at byte {at} of {size}"
        case _:
            after, how = before[:at] + bytes(size - at), f"zeros from byte {at} of {size} on"
    path.write_bytes(after)
    return Damaged(path, before, how)


Blow = Callable[[Struck, random.Random], tuple[str, list[str]]]
"""One trial: what was done in words, and what did not hold."""


def _asked(env: Struck, damaged: Damaged, *command: str) -> tuple[str, list[str]]:
    """Damage, one command, and the file put back."""
    try:
        done = env.run(*command)
        problems = problems_of(done)
    finally:
        damaged.put_back()
    return f"{damaged.how}; `{' '.join(command)}`: exit {done.returncode}", problems


def outputs(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """They are rebuilt from the state: the command works as before."""
    damaged = damage(env.work / "outputs.json", luck)
    command = luck.choice(
        (("status",), ("outputs",), ("failover-drill", "--restore"), ("rotate-key", "--status"))
    )
    how, problems = _asked(env, damaged, *command)
    if not how.endswith("exit 0"):
        problems.append("the outputs were not rebuilt")
    return how, problems


def state(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """Nothing is made twice, and nothing is called empty."""
    before = env.resources()
    damaged = damage(env.work / "terraform.tfstate", luck)
    command = luck.choice((("plan",), ("deploy", "--yes"), ("rotate-key", "--yes"), ("verify", "--drift")))
    how, problems = _asked(env, damaged, *command)
    if how.endswith("exit 0"):
        problems.append("a damaged state went unnoticed")
    if env.resources() != before:
        problems.append(f"there were {before} resources, and now {env.resources()}")
    return how, problems


def journal(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """The fault is found all the same, put back, and nothing is said that was not read back."""
    scenario = luck.choice(SCENARIOS)
    path = env.inject(scenario, f"20260102T030405Z-{luck.randrange(16**4):04x}")
    damaged = damage(path, luck)
    if luck.random() < 0.2:
        shutil.rmtree(path.parent)
        damaged = Damaged(path, damaged.before, "removed with its folder")
    problems: list[str] = []
    if luck.random() < 0.5 and scenario != "region-outage":
        verified = env.run("verify", "--only", "LIVE-KMS-001")
        problems += problems_of(verified)
        if verified.returncode != ExitCode.NOT_RESTORED or "LIVE-DRILL-001" not in verified.stdout:
            problems.append(f"verify did not find the fault: exit {verified.returncode}")
    done = env.restore()
    problems += problems_of(done)
    left = env.faults()
    if done.returncode == 0 and left:
        problems.append(f"restored, it said, and there is {left}")
    if done.returncode not in (0, 5):
        problems.append(f"exit {done.returncode} with a fault of ours in place")
    if left:
        env.lift(scenario)
    shutil.rmtree(path.parent, ignore_errors=True)
    return f"{scenario}, {damaged.how}; `--restore`: exit {done.returncode}", problems


def payment_log(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """Nothing is claimed of payments that was not read."""
    path = env.inject("health-check", f"20260102T030405Z-{luck.randrange(16**4):04x}")
    maker = Maker(env.env, path.parent.name)
    with PaymentLog(path.with_name("ledger.jsonl")) as log:
        for at in range(5):
            log.payment(maker.make(at, int(time.time() * 1000), float(at))).result()
    damaged = damage(path.with_name("ledger.jsonl"), luck)
    done = env.restore()
    problems = problems_of(done)
    if left := env.faults():
        problems.append(f"left in place: {left}")
        env.lift("health-check")
    if done.returncode not in (0, 5):
        problems.append(f"exit {done.returncode}")
    again = env.restore()
    if (done.returncode, again.stdout) not in ((0, NOTHING_TO_RESTORE),) and done.returncode == 0:
        problems.append("it was not restored for good")
    shutil.rmtree(path.parent, ignore_errors=True)
    return f"{damaged.how}; `--restore`: exit {done.returncode}", problems


def rollback_journal(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """An alias is rolled back as the journal says, or the command stops."""
    region = env.outputs.secondary
    alias = env.aws.functions(region.region).get_alias(FunctionName=region.lambda_function_name, Name="live")
    journal = RollbackJournal(env.work / "rolling-update.json")
    version = alias["FunctionVersion"]
    journal.begin(AliasChange(region.region, region.lambda_function_name, "live", version, now(), version))
    damaged = damage(journal.file, luck)
    try:
        how, problems = _asked(env, damaged, *luck.choice((("deploy", "--yes"), ("plan",), ("status",))))
    finally:
        journal.end()
    return how, problems + env.unhealthy()


def anything(name: str, *commands: tuple[str, ...], meant: frozenset[int] | None = None) -> Blow:
    """A file of the work folder, and the commands that read it."""

    def blow(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
        found = sorted(env.work.glob(name)) or sorted(env.project.folder.glob(name))
        how, problems = _asked(env, damage(luck.choice(found), luck), *luck.choice(commands))
        if meant is not None and not any(how.endswith(f"exit {code}") for code in meant):
            problems.append("it did not end so")
        return how, problems

    return blow


def saved_plan(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """A plan that was kept and is damaged is refused."""
    kept = env.project.folder / "kept.tfplan"
    if not kept.exists():
        env.run("plan", "--out", kept.name)
    damaged = damage(kept, luck)
    return _asked(env, damaged, "deploy", "--yes", "--plan", kept.name)


def server(env: Struck, luck: random.Random) -> tuple[str, list[str]]:
    """The embedded AWS starts with what it answered for, or says why it does not start."""
    folder = env.project.server
    name = luck.choice(
        (
            *("items.jsonl", "state/dynamodb.json", "state/awslambda.json", "state/iam.json"),
            *("state/s3.json", "state/cloudwatch.json"),
            *("endpoints.json", "ports.json", "credentials.json", "token"),
        )
    )
    found = folder / name
    if not found.exists():
        found = luck.choice(sorted((folder / "state").glob("*.json")))
    before = env.resources()
    _kill_server(env)
    aside = Path(tempfile.mkdtemp(dir=env.project.folder))
    shutil.copytree(folder, aside / "kept")
    damaged = damage(found, luck)
    done = env.project.run("local", "up")
    problems = problems_of(done)
    try:
        if done.returncode == 0:
            now_there = env.resources()
            if now_there != before:
                problems.append(
                    f"{found.name}: there were {before} resources, and now {now_there}: {done.stderr}"
                )
    except Exception as error:  # noqa: BLE001 - whatever this is, it was not survived
        problems.append(f"{type(error).__name__}: {error}")
    _kill_server(env)
    # Functions of the server that was killed may write there for a moment.
    folder.rename(aside / "damaged")
    (aside / "kept").rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
    again = env.project.run("local", "up")
    if again.returncode:
        problems.append(f"with its files put back it does not start: {again.stderr}")
    return f"{found.relative_to(folder)} {damaged.how}; `local up`: exit {done.returncode}", problems


def _kill_server(env: Struck) -> None:
    folder = env.project.server
    status = lifecycle.status(folder)
    if status is None:
        return
    os.kill(status.endpoints.pid, signal.SIGKILL)
    ends = time.monotonic() + 20
    while lifecycle.status(folder) is not None and time.monotonic() < ends:
        time.sleep(0.05)


BLOWS: Mapping[str, Blow] = {
    "outputs of the environment": outputs,
    "state of Terraform": state,
    "journal of a drill, its fault in place": journal,
    "payment log of a drill": payment_log,
    "journal of a rolling update": rollback_journal,
    "journal of applies": anything("applied.json", ("plan",), ("deploy", "--yes"), ("status",)),
    "zip of the function": anything("synth/stacks/*/payments.zip", ("synth",), meant=frozenset({0})),
    "synthesized stack": anything("synth/stacks/*/cdk.tf.json", ("synth",), meant=frozenset({0})),
    "lock file": anything("lock", ("status",), ("failover-drill", "--restore"), meant=frozenset({0})),
    "plan that was kept": saved_plan,
    "Terraform's own files": anything("terraform/terraform.tfstate", ("plan",), ("verify", "--drift")),
    "copy of the last outputs": anything("cfn-outputs/flat-outputs.json", ("status",), ("outputs",)),
    "files of the embedded AWS": server,
}
"""What is damaged, by its line in the table."""
OFTEN = ("outputs of the environment", "state of Terraform", "journal of a drill, its fault in place")
"""What is damaged twice as often as the rest: what hides a fault or makes things twice."""


LIGHT_DAMAGE = frozenset(
    {
        "outputs of the environment",
        "journal of a drill, its fault in place",
        "payment log of a drill",
        "files of the embedded AWS",
        "zip of the function",
        "synthesized stack",
        "lock file",
        "copy of the last outputs",
    }
)
"""Those for which no Terraform runs, but to read the outputs."""


def damaged_by(number: int) -> str:
    """What the trial of this number damages."""
    return _drawn(dice("truncation", number))


def _drawn(luck: random.Random) -> str:
    return luck.choice((*BLOWS, *OFTEN))


def truncation(env: Struck, number: int) -> Trial:
    """The trial of this number."""
    luck = dice("truncation", number)
    what = _drawn(luck)
    try:
        how, problems = BLOWS[what](env, luck)
    except Exception as error:  # noqa: BLE001 - a trial that breaks was not survived
        how, problems = "the trial broke", [f"{type(error).__name__}: {error}"]
    return Trial("truncation", number, what, how, tuple(problems))


def described(trial: Trial) -> str:
    """A trial in a line."""
    return json.dumps([trial.kind, trial.number, trial.what, trial.how, *trial.problems])
