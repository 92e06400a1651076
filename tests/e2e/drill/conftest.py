"""Drills of the shared deployment, in a time that runs fast; each leaves everything as it was."""

import json
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tenacity import Retrying, retry_if_exception, stop_after_attempt

from payinfra.core.naming import objects_of_tests
from payinfra.drill.load.payments import customer
from tests.e2e.conftest import Deployment, Done
from tests.support.terminal import Terminal

SCALE = 20.0
QUICK = ("--time-scale", f"{SCALE:g}", "--rate", "3", "--warm-up", "1.5", "--hold", "2", "--in-a-row", "5")
BUSY = ("The machine was busy", "The embedded AWS was slow", "The load generator was too slow")
PHASES = (
    "lock",
    "record",
    "steady state",
    "load",
    "inject",
    "fault takes effect",
    "health check unhealthy",
    "DNS switched",
    "other region serving",
    "hold",
    "restore",
    "health check healthy",
    "DNS back",
    "replication caught up",
    "steady state again",
    "reconcile",
)
"""Of the scenario that does no harm, which is taken through all of them."""
ATTEMPTS = 3
HARMFUL = ("lambda-throttle", "replication-pause", "region-outage")
HARMFUL_PHASES = ("inject", "restore")


@dataclass(frozen=True)
class Stage:
    """The deployment as a place of drills."""

    deployment: Deployment

    def words(self, *arguments: str) -> tuple[str, ...]:
        return ("failover-drill", "--env", self.deployment.env, "--local", *arguments)

    def drill(self, *arguments: str) -> Done:
        """A drill that nobody interrupts."""
        return self.deployment.project.run(*self.words("--yes", *QUICK, *arguments), timeout=300)

    def passed(self, *arguments: str) -> Done:
        """A drill that passes, drilled again while it says that the machine was busy."""
        for _ in range(ATTEMPTS):
            done = self.drill(*arguments)
            if not was_busy(done):
                break
            self.deployment.calm()
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def conclusive(self, *arguments: str) -> dict[str, Any]:
        """The report of a drill, drilled again while all that it says is that the machine was busy."""
        for _ in range(ATTEMPTS):
            done = self.drill(*arguments, "--format", "json")
            report = report_of(done)
            if not machine_was_busy(report):
                break
            self.deployment.calm()
        return report

    def reach(self, phase: str, *arguments: str) -> "subprocess.Popen[str]":
        """A drill in a phase; another is started where one ends before it because the machine was busy."""

        def begun() -> "subprocess.Popen[str]":
            process = self.deployment.project.start(*self.words("--yes", *QUICK, *arguments))
            try:
                until(process, phase)
            except NeverBegan:
                process.communicate(timeout=240)
                raise
            except BaseException:
                process.kill()
                raise
            return process

        again = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, NeverBegan) and say_busy(error.read)),
            stop=stop_after_attempt(ATTEMPTS),
            before_sleep=lambda _: self.deployment.calm(),
            reraise=True,
        )
        return again(begun)

    def restore(self) -> Done:
        return self.deployment.project.run(*self.words("--restore"), timeout=300)

    def verify(self) -> None:
        """Every probe passes, once alarms look back on nothing that was done."""
        self.deployment.calm()
        done = self.deployment.project.run("verify", "--env", self.deployment.env, "--local")
        assert done.returncode == 0, done.stdout

    def interrupt(self, phase: str, *arguments: str, number: signal.Signals = signal.SIGINT) -> None:
        """Ctrl-C as soon as a phase begins; the drill puts everything back itself, and all is well."""
        process = self.reach(phase, *arguments)
        try:
            process.send_signal(number)
            _, stderr = process.communicate(timeout=240)
        finally:
            process.kill()
        assert process.returncode == 130, stderr
        assert "Everything is as it was" in stderr
        self.verify()

    def kill(self, phase: str, *arguments: str) -> None:
        """kill -9 as soon as a phase begins; `--restore` puts everything back, once only, and all is well."""
        process = self.reach(phase, *arguments)
        process.kill()
        process.communicate()
        restored = self.restore()
        assert restored.returncode == 0, restored.stdout + restored.stderr
        again = self.restore()
        assert (again.returncode, again.stdout) == (0, "Nothing to restore: every drill ended.\n")
        self.verify()

    def close_the_terminal(self, *arguments: str) -> None:
        """Close the terminal once the fault is in place; the drill puts everything back, and all is well."""
        words = self.words("--yes", *QUICK, *arguments)
        with Terminal(self.deployment.project, *words, all_streams=True) as person:
            person.until("✓ inject")
            person.close()
            assert person.process.wait(240) == 130
        assert self.restore().stdout == "Nothing to restore: every drill ended.\n"
        self.verify()

    def situation(self) -> dict[str, Any]:
        """Everything that a drill may have changed, and the payments that it may have left."""
        found: dict[str, Any] = {}
        drills = objects_of_tests(customer(self.deployment.env))
        for role in ("primary", "secondary"):
            function = self.deployment.output("lambda_function_name", role)
            reserved = self.deployment.client("lambda", role).get_function_concurrency(FunctionName=function)
            check = self.deployment.client("route53").get_health_check(
                HealthCheckId=self.deployment.output("health_check_id", role)
            )["HealthCheck"]["HealthCheckConfig"]
            items = self.deployment.client("dynamodb", role).query(
                TableName=self.deployment.output("dynamodb_table_name", role),
                IndexName="customer-index",
                KeyConditionExpression="customer_id = :customer",
                ExpressionAttributeValues={":customer": {"S": customer(self.deployment.env)}},
            )["Items"]
            objects = self.deployment.client("s3", role).list_object_versions(
                Bucket=self.deployment.output("s3_bucket_name", role), Prefix=drills
            )
            flag = self.deployment.client("ssm", role).get_parameter(
                Name=f"/payment-{self.deployment.env}/evacuated"
            )
            found[role] = {
                "flag": flag["Parameter"]["Value"],
                "objects": [one["Key"] for one in objects.get("Versions", [])],
                "markers": [one["Key"] for one in objects.get("DeleteMarkers", [])],
                "concurrency": reserved.get("ReservedConcurrentExecutions"),
                "inverted": check.get("Inverted", False),
                "disabled": check.get("Disabled", False),
                "payments": [item["payment_id"]["S"] for item in items],
            }
        status = self.deployment.control.status()
        return found | {"faults": status.faults, "time_scale": status.time_scale}


@pytest.fixture
def stage(deployment: Deployment) -> Iterator[Stage]:
    """The place, which must be after a test as it was before."""
    found = Stage(deployment)
    deployment.calm()
    before = found.situation()
    for role in ("primary", "secondary"):
        assert before[role]["objects"] == before[role]["markers"] == before[role]["payments"] == []
    yield found
    after = found.situation()
    if after != before:
        found.restore()  # what this test leaves is not the next one's
    assert after == before


class NeverBegan(AssertionError):
    """A drill ended before the phase that was waited for; `read` is what it wrote to stderr."""

    def __init__(self, sign: str, phase: str, read: list[str]) -> None:
        super().__init__(f"{sign} {phase} never came:\n{''.join(read)}")
        self.read = read


def until(process: "subprocess.Popen[str]", phase: str, *, failed: bool = False) -> list[str]:
    """Read a drill's stderr until a phase begins, or has ended in vain; what was read.

    Raises:
        NeverBegan: the drill has ended.
    """
    sign = "✗" if failed else ">"
    read: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        read.append(line)
        if line.startswith(f"{sign} {phase}"):
            return read
    raise NeverBegan(sign, phase, read)


def report_of(done: Done) -> dict[str, Any]:
    """The report that a drill wrote to stdout as JSON."""
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def phases(report: dict[str, Any]) -> Sequence[str]:
    """The phases that a drill went through."""
    return [phase["phase"] for phase in report["phases"]]


def was_busy(done: Done) -> bool:
    """Whether a drill was inconclusive, or did not begin, because of a busy machine."""
    return say_busy(done.stderr.splitlines())


def say_busy(lines: Iterable[str]) -> bool:
    """Whether one of a drill's messages says that it is inconclusive because of a busy machine."""
    said = [line for line in lines if "inconclusive: " in line]
    return any(reason in line for line in said for reason in BUSY)


def machine_was_busy(report: dict[str, Any]) -> bool:
    """Whether a drill is inconclusive for that reason alone."""
    doubts = [doubt["what"] for doubt in report["doubts"] if not doubt["what"].startswith("Not judged: ")]
    return "INCONCLUSIVE" in (report["resilience"], report["restored"]) and all(
        doubt.startswith(BUSY) for doubt in doubts
    )


def held(report: dict[str, Any]) -> bool:
    """Whether nothing speaks against the system, but for what a busy machine keeps from being judged."""
    verdicts = {report["resilience"], report["restored"]}
    return verdicts == {"PASS"} or ("FAIL" not in verdicts and machine_was_busy(report))


def verdict(report: dict[str, Any]) -> tuple[str, str, list[str], list[str]]:
    """Both verdicts, why one is FAIL, and why one is INCONCLUSIVE."""
    doubts = [doubt["what"] for doubt in report["doubts"]]
    return report["resilience"], report["restored"], report["reasons"], doubts
