"""An environment on an embedded AWS of its own, which is struck, and the truth about it."""

import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from payinfra.clients.aws import LOCAL_ACCOUNT, Aws
from payinfra.core.outputs import Outputs, RegionOutputs
from payinfra.deployment.left_faults import ALARM_PROBES
from payinfra.drill.faults.actions import FaultAction, FaultClients
from payinfra.drill.faults.executor import AwsFaultExecutor
from payinfra.drill.faults.health_check import SetUnhealthy
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.faults.lambda_throttle import SetConcurrency
from payinfra.drill.faults.marks import KEY, MarkResource, tags_of
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.registry import all_faults, fault_named
from payinfra.drill.faults.replication_pause import PauseReplication
from payinfra.drill.prediction import ALARMS_LOOK_BACK_S
from payinfra.local.server.time_scale import FASTEST
from tests.support import embedded
from tests.support.chaos.ledger import MEANT
from tests.support.project import PAYINFRA, Done, Project

CALM_WITHIN_S, HURRY = 30.0, 20.0
"""How long alarms are waited for, in seconds, and how much faster time runs meanwhile."""
SERVES_WITHIN_S = 30.0
"""How long a region has to serve again: a function that was idle has to start."""
NOTHING_TO_RESTORE = "Nothing to restore: every drill ended.\n"
QUICK = ("--time-scale", "20", "--rate", "3", "--warm-up", "1.5", "--hold", "2", "--in-a-row", "5")
"""A drill that takes half a minute."""
SCENARIOS = ("health-check", "lambda-throttle", "replication-pause", "region-outage")
_PROBE = re.compile(r"LIVE-[A-Z0-9]+-\d+")
BUG = re.compile(r"Traceback|This is a bug in payinfra|Exception ignored")


@dataclass(frozen=True)
class Struck:
    """The environment.

    Attributes:
        project: the folder in which payinfra runs.
        env: its name.
    """

    project: Project
    env: str

    # -- commands ----------------------------------------------------------------------------------

    def words(self, command: str, *more: str) -> tuple[str, ...]:
        """A command on this environment."""
        return (command, "--env", self.env, "--local", *more)

    def run(self, command: str, *more: str) -> Done:
        """Run a command to its end."""
        return self.project.run(*self.words(command, *more), timeout=400)

    def deploy(self, *more: str) -> Done:
        """Deploy."""
        return self.run("deploy", "--yes", *more)

    def restore(self) -> Done:
        """Put back what drills have left."""
        return self.run("failover-drill", "--restore")

    # -- what is there -------------------------------------------------------------------------------

    @property
    def work(self) -> Path:
        """Its work folder."""
        return self.project.folder / ".payinfra" / "local" / self.env

    @property
    def outputs(self) -> Outputs:
        """Its outputs, from the state: the file of the outputs may be what is struck."""
        state = json.loads((self.work / "terraform.tfstate").read_text(encoding="utf-8"))
        values = {
            name: str(one["value"]) for name, one in state["outputs"].items() if not one.get("sensitive")
        }
        return Outputs.from_flat(values)

    @property
    def aws(self) -> Aws:
        """Clients of its embedded AWS."""
        return Aws(embedded.endpoints_of(self.project.server))

    def resources(self) -> int:
        """How many resources bear its tags."""
        found = 0
        for region in ("us-east-1", "us-west-2"):
            pages = self.aws.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
            filters = [{"Key": "Environment", "Values": [self.env]}]
            found += sum(len(page["ResourceTagMappingList"]) for page in pages.paginate(TagFilters=filters))
        return found

    def faults(self) -> list[str]:
        """Every fault of a drill that is in place."""
        outputs, control = self.outputs, self.project.control
        found = [str(one) for one in control.status().faults]
        found += [f"time scale {held}" for held in control.status().time_scale_holds]
        if found:  # A region that answers nothing answers this as little.
            return found
        for region in outputs.regions:
            found += self._in_region(region)
        return found

    def _in_region(self, region: RegionOutputs) -> Iterator[str]:
        check = self.aws.route53("us-east-1").get_health_check(HealthCheckId=region.health_check_id)
        config: Any = check["HealthCheck"]["HealthCheckConfig"]
        for flag in ("Inverted", "Disabled"):
            if config.get(flag):
                yield f"health check of {region.region}: {flag}"
        reserved = self.aws.functions(region.region).get_function_concurrency(
            FunctionName=region.lambda_function_name
        )
        for resource in {fault.mark.on(region) for fault in all_faults()}:
            tags = tags_of(FaultClients(self.aws), resource)
            yield from (f"mark {key} on {resource.id}" for key in tags if key.startswith(KEY))
        if "ReservedConcurrentExecutions" in reserved:
            yield f"concurrency in {region.region}: {reserved['ReservedConcurrentExecutions']}"

    def unhealthy(self) -> list[str]:
        """The regions whose own health page does not say that they serve, within `SERVES_WITHIN_S`."""
        ends = time.monotonic() + SERVES_WITHIN_S
        waiting = {
            one.region: f"{one.api_endpoint.removesuffix('/payments')}/health" for one in self.outputs.regions
        }
        while waiting and time.monotonic() < ends:
            waiting = {region: url for region, url in waiting.items() if _status(url) != httpx.codes.OK}
        return [f"health page of {region} does not answer 200" for region in waiting]

    def calm(self) -> None:
        """Let the alarms forget what was done before, if they do in time: no drill begins while one rings."""
        control = self.project.control
        try:
            control.set_time_scale(FASTEST)
            time.sleep(1.1 * ALARMS_LOOK_BACK_S / FASTEST)
            control.set_time_scale(HURRY)
            ends = time.monotonic() + CALM_WITHIN_S
            while self._ringing() and time.monotonic() < ends:
                time.sleep(0.5)
        finally:
            control.set_time_scale(1.0)

    def _ringing(self) -> bool:
        return any(
            self.aws.client("cloudwatch", one.region).describe_alarms(StateValue="ALARM")["MetricAlarms"]
            for one in self.outputs.regions
        )

    # -- a drill's fault -------------------------------------------------------------------------------

    def action(self, scenario: str) -> FaultAction:
        """What a drill of this scenario injects into the primary."""
        primary = self.outputs.primary
        match scenario:
            case "health-check":
                return SetUnhealthy(primary.health_check_id, inverted=False, disabled=False)
            case "lambda-throttle":
                return SetConcurrency(primary.region, primary.lambda_function_name, None)
            case "replication-pause":
                return PauseReplication()
            case _:
                return Blackout(primary.region)

    def inject(self, scenario: str, drill: str) -> Path:
        """Do what a drill does until its fault is in place, as if it had been killed then; its journal."""
        header = Header(
            drill,
            self.env,
            "local",
            LOCAL_ACCOUNT,
            ("us-east-1", "us-west-2"),
            (scenario,),
            datetime.now(UTC),
            f"payinfra failover-drill --env {self.env} --local --scenario {scenario}",
        )
        resource = fault_named(scenario).mark.on(self.outputs.primary)
        mark = MarkResource(scenario, resource, drill, header.began, "")
        shutil.rmtree(self.work / "drills" / drill, ignore_errors=True)  # of the same trial, earlier
        journal = FaultJournal.begin(self.work / "drills" / drill, header)
        executor = AwsFaultExecutor(self.aws, self.project.control, account=LOCAL_ACCOUNT)
        for action in (mark, self.action(scenario)):
            number = journal.announce(action)
            executor.inject(action)
            journal.done(number)
        return journal.path

    def lift(self, scenario: str) -> None:
        """Roll the fault back without payinfra's command line."""
        executor = AwsFaultExecutor(self.aws, self.project.control, account=LOCAL_ACCOUNT)
        executor.rollback(self.action(scenario))
        resource = fault_named(scenario).mark.on(self.outputs.primary)
        executor.rollback(MarkResource(scenario, resource, "", datetime.now(UTC), ""))


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=20).status_code
    except httpx.HTTPError:
        return 0


def deployed(done: Done) -> list[str]:
    """Why a deployment did not end well. That alarms still ring for an earlier blow is no reason."""
    failed = set(_PROBE.findall(f"{done.stdout} {done.stderr}"))
    if done.returncode == 1 and failed and failed <= ALARM_PROBES and "is deployed, but" in done.stderr:
        return []
    return problems_of(done, meant=frozenset({0}))


def problems_of(done: Done, *, meant: frozenset[int] = MEANT) -> list[str]:
    """What a command must never say, or end with."""
    found: list[str] = []
    if done.returncode not in meant:
        probes = "".join(f" {one}" for one in sorted(set(_PROBE.findall(f"{done.stdout} {done.stderr}"))))
        words = f"{last_words(done.stdout)} {last_words(done.stderr)}"
        found.append(f"exit {done.returncode}:{probes} {words}")
    if bug := BUG.search(done.stderr):
        found.append(f"it said {bug[0]}: {last_words(done.stderr)}")
    if done.returncode not in (0, 130) and "error:" not in done.stderr and not done.stdout.strip():
        found.append(f"exit {done.returncode} without a word: {last_words(done.stderr)}")
    return found


def last_words(text: str) -> str:
    """The last three lines of an output, shortened."""
    return " / ".join(text.strip().splitlines()[-3:])[:300]


@contextmanager
def struck(folder: Path, *envs: str, program: Path = PAYINFRA) -> Iterator[Sequence[Struck]]:
    """Environments on one embedded AWS, deployed where they are not yet. It is stopped in the end.

    Args:
        folder: the project's; made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    project = Project(folder, program=program, measured=False)
    found = [Struck(project, env) for env in envs]
    try:
        for one in found:
            stands = (one.work / "outputs.json").exists()
            done = project.run("local", "up") if stands else one.deploy()
            assert deployed(done) == [], done.stderr
        yield found
    finally:
        project.run("local", "down")
