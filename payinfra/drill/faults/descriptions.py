"""The scenarios in words: what each makes fail, what is to be seen then, how it ends, and what it takes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from payinfra.core.naming import DRILL_FIS_ROLE, DRILL_SCHEDULE_GROUP, DRILL_SCHEDULER_ROLE
from payinfra.drill.model import Scenario


@dataclass(frozen=True)
class RequiredPermission:
    """What must be allowed on AWS.

    Attributes:
        actions: as IAM writes them.
        on: the resource, in words or as the end of an ARN.
        who: who must be allowed.
    """

    actions: tuple[str, ...]
    on: str
    who: str = "whoever drills"


@dataclass(frozen=True)
class Description:
    """A scenario for a person.

    Attributes:
        title: what it does, in a sentence.
        steady_state: what must hold before, and again afterwards, beside what every scenario asks for.
        injection: what is done.
        signals: what is to be seen while it lasts.
        restoration: what is put back, and what does so if nobody is left to.
        on_aws: whether it works on AWS; all work on the embedded one.
        switches: whether a health check becomes unhealthy, so that names drop the region.
        permissions: what it takes on AWS, beside what every drill takes.
    """

    title: str
    steady_state: str
    injection: str
    signals: tuple[str, ...]
    restoration: str
    on_aws: bool
    switches: bool
    permissions: tuple[RequiredPermission, ...]


EVERY_DRILL = (
    RequiredPermission(("cloudwatch:DescribeAlarms",), "the declared alarms"),
    RequiredPermission(
        ("dynamodb:ListTagsOfResource", "dynamodb:Query", "dynamodb:DeleteItem"), "the table, in both regions"
    ),
    RequiredPermission(("lambda:ListTags", "lambda:GetFunctionConcurrency"), "the function, in both regions"),
    RequiredPermission(("route53:GetHealthCheck", "route53:GetHealthCheckStatus"), "both health checks"),
    RequiredPermission(("ssm:GetParameter",), "the API key's parameter"),
)
"""What every drill looks at, and what it takes to read payments back and to remove them."""

DESCRIPTIONS: Mapping[Scenario, Description] = {
    Scenario.HEALTH_CHECK: Description(
        title="Turn the region's health check into its opposite.",
        steady_state="The health check is healthy, enabled and not inverted.",
        injection="`UpdateHealthCheck` with `Inverted` true. The region keeps serving.",
        signals=(
            "Route 53 calls the region unhealthy as soon as the change has reached it.",
            "The alarm on the health check rings.",
            "The failover name leads to the other region, and payments follow as clients' answers expire.",
            "No payment fails: clients with an old answer are still served.",
        ),
        restoration="`UpdateHealthCheck` with the original value of `Inverted`, read back.",
        on_aws=True,
        switches=True,
        permissions=(
            RequiredPermission(
                ("route53:GetHealthCheck", "route53:UpdateHealthCheck"), "the region's health check"
            ),
        ),
    ),
    Scenario.LAMBDA_THROTTLE: Description(
        title="Take all concurrency away from the region's payments function.",
        steady_state="The function has the concurrency that was declared, and not 0.",
        injection="`PutFunctionConcurrency` with 0: Lambda refuses every call, and the API answers 500.",
        signals=(
            "Payments through the region and its health page fail at once.",
            "The health check is unhealthy after threshold x interval, and its alarm rings.",
            "The alarms on throttles and on 5xx ring.",
            "The failover name leads to the other region. Payments without an answer are acknowledged there, "
            "under the key that they were sent with.",
        ),
        restoration=(
            "`PutFunctionConcurrency` with the original value, or `DeleteFunctionConcurrency` where nothing "
            "was reserved, read back. On AWS an EventBridge schedule, armed before the injection, does the "
            "same after the longest time that the drill may take; the report says whether it was armed."
        ),
        on_aws=True,
        switches=True,
        permissions=(
            RequiredPermission(
                (
                    "lambda:GetFunctionConcurrency",
                    "lambda:PutFunctionConcurrency",
                    "lambda:DeleteFunctionConcurrency",
                ),
                "the region's function",
            ),
            RequiredPermission(
                ("scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:DeleteSchedule"),
                f"`schedule/{DRILL_SCHEDULE_GROUP}/*`, for the watchdog",
            ),
            RequiredPermission(
                ("iam:PassRole",),
                f"`role/{DRILL_SCHEDULER_ROLE}` to `scheduler.amazonaws.com`, for the watchdog",
            ),
            RequiredPermission(
                ("lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"),
                "the environments' functions",
                f"the role `{DRILL_SCHEDULER_ROLE}`",
            ),
        ),
    ),
    Scenario.REPLICATION_PAUSE: Description(
        title="Stop the replication of payments between the regions.",
        steady_state="What is written in one region is read in the other.",
        injection=(
            "On AWS an experiment of the fault injection service with the action "
            "`aws:dynamodb:global-table-pause-replication` on the region's table. It ends by itself one "
            "minute after the longest time that the drill may take. AWS says that replication may go on for "
            "up to five minutes after it has begun: let `--hold` be longer. On the embedded AWS the fault "
            "`replication-pause`."
        ),
        signals=(
            "Both regions keep serving, and no name changes.",
            "What is written in one region stays there.",
            "When it ends, the backlog drains; of two writes to one item the last one wins.",
        ),
        restoration=(
            "`StopExperiment`, and `DeleteExperimentTemplate` once FIS says that it has stopped. Both are "
            "found by their tag `PayinfraDrill`. On the embedded AWS the fault is cleared."
        ),
        on_aws=True,
        switches=False,
        permissions=(
            RequiredPermission(
                (
                    "fis:CreateExperimentTemplate",
                    "fis:DeleteExperimentTemplate",
                    "fis:StartExperiment",
                    "fis:StopExperiment",
                    "fis:GetExperiment",
                    "fis:TagResource",
                ),
                "`action/aws:dynamodb:global-table-pause-replication`, `experiment-template/*` and "
                "`experiment/*`",
            ),
            RequiredPermission(("fis:ListExperiments", "fis:ListExperimentTemplates"), "`*`"),
            RequiredPermission(("iam:PassRole",), f"`role/{DRILL_FIS_ROLE}` to `fis.amazonaws.com`"),
            RequiredPermission(
                ("iam:CreateServiceLinkedRole",),
                "`role/aws-service-role/fis.amazonaws.com/*`, for the first experiment of an account",
            ),
            RequiredPermission(
                (
                    "dynamodb:DescribeTable",
                    "dynamodb:GetResourcePolicy",
                    "dynamodb:PutResourcePolicy",
                    "dynamodb:DeleteResourcePolicy",
                    "tag:GetResources",
                ),
                "the environments' tables and their streams; `tag:GetResources` on `*`",
                f"the role `{DRILL_FIS_ROLE}`",
            ),
        ),
    ),
    Scenario.REGION_OUTAGE: Description(
        title="Let the region answer nothing, neither its API nor AWS calls.",
        steady_state="The region answers.",
        injection="The fault `region-blackout`: connections are taken, and nothing is said on them.",
        signals=(
            "Payments through the region get no answer in time. Those that were under way when it went dark "
            "may or may not be recorded.",
            "The health check is unhealthy after threshold x (interval + the checkers' time-out).",
            "Replication to and from the region waits.",
            "The failover name leads to the other region. Payments without an answer are sent there again "
            "under the same key, and become one payment.",
        ),
        restoration="The fault is cleared. A restart of the embedded AWS clears it as well.",
        on_aws=False,
        switches=True,
        permissions=(),
    ),
}

_OPENING = """\
# What a failover drill makes fail

`payinfra failover-drill --env ENV --scenario NAME`. Several are injected together and taken back in the
opposite order. `--reverse` loses the secondary region instead of the primary: the failover name stays where
it is, the latency name drops the region, and there is no switch to wait for.

Every drill begins and ends with the steady state: every probe of `payinfra verify` passes, no alarm rings,
and payments get through. What is done is written to the drill's journal before it is done, with what was
there before. After a kill, `payinfra failover-drill --restore --env ENV` puts it back.
"""

_TOGETHER = """\
`health-check` goes with neither `lambda-throttle` nor `region-outage`: an inverted health check calls a
region that fails healthy.
"""

_ROLES = """\
What `payinfra verify` asks comes on top. `payinfra bootstrap --drills` makes the two roles that are named
below, once for an account.
"""


def page() -> str:
    """docs/scenarios.md."""
    table = [
        "| scenario | on AWS | on the embedded AWS | a name drops the region |",
        "|---|---|---|---|",
        *(
            f"| [{one}](#{one}) | {_yes(about.on_aws)} | yes | {_yes(about.switches)} |"
            for one, about in DESCRIPTIONS.items()
        ),
        "",
    ]
    parts = [
        _OPENING,
        *table,
        _TOGETHER,
        "## What every drill takes on AWS",
        "",
        *_permissions(EVERY_DRILL),
        _ROLES,
        *(line for one in Scenario for line in _section(one)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _section(scenario: Scenario) -> Iterator[str]:
    about = DESCRIPTIONS[scenario]
    yield from (f"## {scenario}", "", about.title, "")
    yield f"- **Steady state.** {about.steady_state}"
    yield f"- **Injection.** {about.injection}"
    yield "- **Expected signals.**"
    yield from (f"  - {signal}" for signal in about.signals)
    yield f"- **Restoration.** {about.restoration}"
    yield ""
    if about.permissions:
        yield from _permissions(about.permissions)


def _permissions(permissions: Iterable[RequiredPermission]) -> Iterator[str]:
    yield from ("| who | may | on |", "|---|---|---|")
    for one in permissions:
        yield f"| {one.who} | {', '.join(f'`{action}`' for action in one.actions)} | {one.on} |"
    yield ""


def _yes(it_is: bool) -> str:
    return "yes" if it_is else "no"
