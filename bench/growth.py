"""How what payinfra does grows: `python -m bench.growth [synth] [check] [environments] [payments]`.

Each is measured at three sizes, so that a curve shows and not a point. Seconds are those of the processor,
which hold on a busy machine too. It ends with 1 if something grows faster than its size.

What is measured:

- synth: a process that builds a stack of so many resources, of ten types, and loads the bindings as payinfra
  does; beside it the same program with ordinary imports, which is what stock cdktf does;
- check: `payinfra check` over a stack of so many resources, as a process;
- environments: `envs` and `reap`, as a dry run, over an account of so many environments, each with 94
  resources that have tags. Its API answers at once: what is left is the work of payinfra, and how many calls
  it makes;
- payments: the drill's load at so many payments a second, embedded and with two workers of Locust, with its
  own lag and memory, against a server that acknowledges at once; beside it Locust alone, which neither writes
  a payment down before it is sent nor sends it once more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from bench import drill
from bench.checks import process as check_process
from bench.commands import Command
from bench.goals import Goal, say, verdict
from bench.timing import CommandFailed, environment
from bench.wide_stack import wide_stack
from payinfra.account.environments.inventory import AccountReader, list_environments
from payinfra.account.environments.model import EnvironmentInventory, Facts, ResourceKind, TaggedResource
from payinfra.account.environments.reaping import StaleRule, reap
from payinfra.clients.aws import Aws
from payinfra.core.settings import Settings
from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.load.generator import Pace
from payinfra.drill.load.payment_log import NAME, PaymentLog
from payinfra.drill.load.statistics import percentile
from payinfra.drill.load.worker_master import WorkerLoad, WorkerPlan
from payinfra.drill.load.worker_order import ClientsOfOneTarget, LoadOrder

RESOURCES = (200, 1000, 2000)
ENVIRONMENTS = (10, 100, 300)
RATES = (5.0, 50.0, 200.0)
RUNS = 3
REGIONS = ("us-east-1", "us-west-2")
LINEAR = 1.3
"""How many times what one more costs at the smallest size it may cost at the largest: it should be once."""

LOCUSTFILE = """
import os
from uuid import uuid4

from locust import FastHttpUser, constant_pacing, task


class Client(FastHttpUser):
    wait_time = constant_pacing(1)

    @task
    def pay(self):
        key = str(uuid4())
        body = {"customer_id": "bench", "amount": 100, "currency": "USD"}
        self.client.post(os.environ["PAYMENTS_PATH"], json=body, headers={"Idempotency-Key": key})
"""
"""What a user of Locust writes for one payment a second of each user."""

STACK = """
import sys, time
size, lazy, out = int(sys.argv[1]), sys.argv[2] == "lazy", sys.argv[3]
if lazy:
    from payinfra.stacks import cdktf_bindings
    cdktf_bindings.prepare()
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue
from cdktf_cdktf_provider_aws.ssm_parameter import SsmParameter
app = App(outdir=out)
stack = TerraformStack(app, "wide")
AwsProvider(stack, "aws", region="eu-west-1")
for n in range(size // 10):
    key = KmsKey(stack, f"key{n}", enable_key_rotation=True)
    bucket = S3Bucket(stack, f"bucket{n}", bucket=f"bucket-{n}")
    S3BucketPublicAccessBlock(stack, f"block{n}", bucket=bucket.id, block_public_acls=True)
    role = IamRole(stack, f"role{n}", name=f"role-{n}", assume_role_policy="{}")
    IamRolePolicy(stack, f"policy{n}", role=role.id, policy="{}")
    CloudwatchLogGroup(stack, f"log{n}", name=f"/log/{n}", kms_key_id=key.arn)
    topic = SnsTopic(stack, f"topic{n}", name=f"topic-{n}", kms_master_key_id=key.arn)
    SqsQueue(stack, f"queue{n}", name=f"queue-{n}", kms_master_key_id=key.arn)
    SsmParameter(stack, f"parameter{n}", name=f"/parameter/{n}", type="String", value=bucket.arn)
    CloudwatchMetricAlarm(stack, f"alarm{n}", alarm_name=f"alarm-{n}",
        comparison_operator="LessThanThreshold", evaluation_periods=1, namespace="AWS/SNS",
        metric_name="Errors", alarm_actions=[topic.arn])
app.synth()
"""


@dataclass(frozen=True)
class Point:
    """What one size took: seconds of the processor, of the process and its children; memory at the most."""

    size: float
    seconds: float
    mib: float


def of_process(command: Command, folder: Path) -> tuple[float, float]:
    """Seconds of the processor and greatest memory in MiB of a process and of its children.

    Raises:
        RuntimeError: it did not end well.
    """
    with (folder / "said").open("wb") as said:
        actions = [(os.POSIX_SPAWN_DUP2, said.fileno(), 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)]
        pid = os.posix_spawn(command.arguments[0], command.arguments, environment(), file_actions=actions)
        _, status, used = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"{command.name}: {(folder / 'said').read_text()[-2000:]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * drill.KIB / 2**20


def curve(name: str, unit: str, points: list[Point], *, fixed: bool = True) -> Goal:
    """Say the points, and whether what is added is added in proportion.

    Args:
        fixed: whether a part of it is the same at any size, such as the start of a process: then only what a
            size takes more than the one before counts.
    """
    for point in points:
        say(
            f"  {name:<44} {point.size:>6g} {unit:<12} {point.seconds:8.3f} s   {point.mib:6.0f} MiB   "
            f"{point.seconds / point.size * 1000:8.2f} ms each"
        )
    if fixed:
        slopes = [(b.seconds - a.seconds) / (b.size - a.size) for a, b in pairwise(points)]
        ratio = slopes[-1] / max(slopes[0], 1e-9)
    else:
        ratio = (points[-1].seconds / points[-1].size) / (points[0].seconds / points[0].size)
    promise = f"{name}: each {unit.rstrip('s')} more costs the same at {points[-1].size:g} as before"
    return Goal(f"{promise}, within {LINEAR:g} times", f"{ratio:.2f} times", ratio <= LINEAR)


def synth(folder: Path, *, peers: bool) -> list[Goal]:
    """Stacks of three sizes, built in a process each."""
    program = folder / "stack.py"
    program.write_text(STACK)

    def build(size: int, how: str) -> Point:
        command = Command(f"synth {size}", (sys.executable, str(program), str(size), how, str(folder / how)))
        runs = [of_process(command, folder) for _ in range(1 if how == "eager" else RUNS)]
        return Point(size, statistics.median(one[0] for one in runs), max(one[1] for one in runs))

    build(RESOURCES[0], "lazy")
    points = [build(size, "lazy") for size in RESOURCES]
    goals = [curve("synth", "resources", points)]
    if peers:
        for ours in (points[0], points[-1]):
            theirs = build(int(ours.size), "eager")
            times = theirs.seconds / ours.seconds
            say(
                f"  {'stock cdktf, ordinary imports':<44} {theirs.size:>6g} {'resources':<12} "
                f"{theirs.seconds:8.3f} s   {theirs.mib:6.0f} MiB   {times:.1f} times ours"
            )
    return goals


def check(folder: Path) -> list[Goal]:
    """`payinfra check` over stacks of three sizes, as a process."""
    points = []
    for size in RESOURCES:
        file = folder / f"wide{size}" / "cdk.tf.json"
        file.parent.mkdir()
        file.write_text(json.dumps(wide_stack(size)))
        script = str(Path(sys.executable).with_name("payinfra"))
        arguments = ("check", "--manifest", str(file), "--env", "demo", "--format", "json")
        check_process(arguments, folder)
        runs = [of_process(Command("check", (script, *arguments)), folder) for _ in range(RUNS)]
        points.append(Point(size, statistics.median(one[0] for one in runs), max(one[1] for one in runs)))
    return [curve("check", "resources", points)]


def account(count: int) -> tuple[AccountReader, dict[str, int]]:
    """An account of so many environments, and how many calls are made to it."""
    born = datetime(2026, 1, 1, tzinfo=UTC)
    calls = {"calls": 0}
    kinds = {
        ResourceKind.ALARM: 30,
        ResourceKind.API: 1,
        ResourceKind.BUCKET: 1,
        ResourceKind.FUNCTION: 1,
        ResourceKind.HEALTH_CHECK: 1,
        ResourceKind.KEY: 3,
        ResourceKind.LOG_GROUP: 2,
        ResourceKind.PARAMETER: 5,
        ResourceKind.TABLE: 1,
        ResourceKind.TOPIC: 1,
        ResourceKind.ZONE: 1,
    }
    by_region: dict[str, list[TaggedResource]] = {region: [] for region in REGIONS}
    for number in range(count):
        env = f"pr{number}"
        for region in REGIONS:
            for kind, several in kinds.items():
                for one in range(several):
                    name = f"payment-{env}-{kind}-{one}"
                    tags = {"Environment": env, "Project": "payment", "Owner": "bench"}
                    arn = f"arn:aws:x:{region}:1:{kind}/{name}"
                    by_region[region].append(TaggedResource(arn, kind, region, name, tags))

    def tagged(_aws: Aws, region: str) -> tuple[TaggedResource, ...]:
        calls["calls"] += -(-len(by_region[region]) // 100)  # GetResources gives 100 a page.
        return tuple(by_region[region])

    def described(_aws: Aws, _resource: TaggedResource) -> Facts:
        calls["calls"] += 1
        return Facts(born=born)

    told: Mapping[ResourceKind, Callable[[Aws, TaggedResource], Facts]] = dict.fromkeys(
        (ResourceKind.KEY, ResourceKind.TABLE, ResourceKind.API), described
    )
    return AccountReader(tagged, told), calls


def environments(folder: Path) -> list[Goal]:
    """`envs` and `reap` over accounts of three sizes, without the waits for AWS."""
    points: dict[str, list[Point]] = {"envs": [], "reap, dry run": []}
    made = []
    for count in ENVIRONMENTS:
        reader, calls = account(count)

        def listed(reader: AccountReader = reader) -> EnvironmentInventory:
            return list_environments(
                Aws(),
                account="1",
                target="aws",
                regions=REGIONS,
                protected_by_settings=lambda _: False,
                reader=reader,
            )

        inventory = listed()
        made.append(f"{calls['calls']} for {count}")
        rule = StaleRule("pr*", 3600.0)

        def settings(env: str) -> Settings:
            return Settings.resolve({"env": env}, folder=folder, environ={})

        def reaped(found: EnvironmentInventory = inventory, rule: StaleRule = rule) -> object:
            return list(reap(found, rule, datetime.now(UTC), settings=settings, destroy=None))

        if len(inventory.environments) != count:
            raise RuntimeError(f"{len(inventory.environments)} of {count} environments were found")
        for name, what in (("envs", listed), ("reap, dry run", reaped)):
            points[name].append(Point(count, processor_seconds(what), drill.peak_mib()))
    say(f"  calls to AWS, 16 at once: {', '.join(made)} environments")
    return [curve(name, "environments", found, fixed=False) for name, found in points.items()]


def processor_seconds(what: Callable[[], object]) -> float:
    """The median of several, in this process."""
    what()
    seconds = []
    for _ in range(RUNS):
        began = time.process_time()
        what()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def payments(url: str, folder: Path, seconds: float, *, peers: bool) -> list[Goal]:
    """The drill's load at three rates, by both engines."""
    goals = []
    for rate in RATES:
        own = folder / f"embedded{rate:g}"
        own.mkdir()
        try:
            cost = drill.load(url, own, rate, seconds)
        except RuntimeError as late:
            goals.append(Goal(f"embedded generator: {rate:g} a second are acknowledged", str(late), False))
            continue
        _row("embedded", rate, cost.rate, cost.late_s, cpu=cost.cpu, mib=cost.late_mib)
        goals.append(_kept("embedded generator", rate, cost.rate))
    for rate in RATES[1:]:
        begun, late_s, cpu, mib = with_workers(url, folder / f"locust{rate:g}", rate, seconds)
        _row("Locust, 2 workers", rate, begun, late_s, cpu=cpu, mib=mib)
        goals.append(_kept("two workers of Locust", rate, begun))
    for rate in RATES[1:] if peers else ():
        begun, cpu = locust_alone(url, folder, rate, seconds)
        say(f"  {'Locust alone':<20} {rate:>6g} a second   begun {begun:7.2f}   {cpu:5.2f} cores")
    return goals


def _row(name: str, rate: float, begun: float, late_s: float, *, cpu: float, mib: float) -> None:
    say(
        f"  {name:<20} {rate:>6g} a second   begun {begun:7.2f}   "
        f"99 of 100 late by {late_s * 1000:6.1f} ms at most   {cpu:5.2f} cores   {mib:5.0f} MiB"
    )


def _kept(name: str, rate: float, begun: float) -> Goal:
    share = begun / rate
    return Goal(f"{name}: {rate:g} a second are begun, within 5 %", f"{share:.3f}", abs(share - 1) < 0.05)


def with_workers(url: str, folder: Path, rate: float, seconds: float) -> tuple[float, float, float, float]:
    """Payments a second, lateness, cores and memory of the greatest process, of a load with two workers."""
    folder.mkdir()
    pace, stop = Pace(rate, resend_after_s=5.0), Stop()
    order = LoadOrder(
        drill="x1",
        env="bench",
        rate=rate,
        time_out_s=pace.time_out_s,
        first_pause_s=pace.first_pause_s,
        longest_pause_s=pace.longest_pause_s,
        retries=pace.retries,
        resend_every=pace.resend_every,
        resend_after_s=pace.resend_after_s,
        api_key="key",
        clients=ClientsOfOneTarget((url,), "payments.example", "here"),
    )
    children = os.times()
    own = time.process_time()
    with PaymentLog(folder / NAME):
        load = WorkerLoad(order, WorkerPlan(2), folder, RealClock(stop), tell=say, stop=stop)
        load.start()
        time.sleep(seconds)
        load.stop(5.0)
    after = os.times()
    used = time.process_time() - own + sum(after[2:4]) - sum(children[2:4])
    lags = load.lags()
    begun = (len(lags) - 1) / (lags[-1][0] - lags[0][0])
    late = percentile(sorted(late_s for _, late_s in lags), 0.99)
    return begun, late, used / seconds, drill.peak_mib()


def locust_alone(url: str, folder: Path, rate: float, seconds: float) -> tuple[float, float]:
    """Payments a second and cores of Locust's own command: two workers, a user for each payment a second."""
    file = folder / "locustfile.py"
    file.write_text(LOCUSTFILE)
    host, _, path = url.rpartition("/prod/")
    command = [sys.executable, "-m", "locust", "--headless", "--locustfile", str(file), "--host", host]
    users = ["--users", f"{rate:g}", "--spawn-rate", f"{rate:g}", "--processes", "2"]
    until = ["--run-time", f"{seconds:g}s", "--json-file", "counted", "--exit-code-on-error", "0"]
    before = os.times()
    done = subprocess.run(
        [*command, *users, *until],
        cwd=folder,
        env=environment(PAYMENTS_PATH=f"/prod/{path}"),
        capture_output=True,
        text=True,
    )
    after = os.times()
    if done.returncode != 0:
        raise CommandFailed(f"locust ended with {done.returncode}:\n{done.stderr[-4000:]}")
    (counted,) = json.loads((folder / "counted.json").read_text())
    took = counted["last_request_timestamp"] - counted["start_time"]
    return counted["num_requests"] / took, (sum(after[2:4]) - sum(before[2:4])) / took


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.growth", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    names = ("synth", "check", "environments", "payments")
    parser.add_argument("only", nargs="*", choices=[*names, []], help="what to measure; all unless given")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long payments are sent at each rate")
    parser.add_argument("--no-peers", action="store_true", help="measure payinfra alone")
    given = parser.parse_args()
    chosen = given.only or names
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory(prefix="payinfra-bench-") as made:
        folder = Path(made)
        if "synth" in chosen:
            goals += synth(folder, peers=not given.no_peers)
        if "check" in chosen:
            goals += check(folder)
        if "environments" in chosen:
            goals += environments(folder)
        if "payments" in chosen:

            def measured(url: str) -> int:
                goals.extend(payments(url, folder, given.seconds, peers=not given.no_peers))
                return 0

            drill.with_server(measured)
    return verdict(goals)


if __name__ == "__main__":
    sys.exit(main())
