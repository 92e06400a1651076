"""docs/scenarios.md: what drills make fail, what is to be seen then, how it ends, and what it takes."""

from collections.abc import Iterable, Iterator

from payinfra.drill.faults.model import Fault, RequiredPermission
from payinfra.drill.faults.registry import all_faults

EVERY_DRILL = (
    RequiredPermission(("cloudwatch:DescribeAlarms",), "the declared alarms"),
    RequiredPermission(
        ("dynamodb:ListTagsOfResource", "dynamodb:Query", "dynamodb:DeleteItem"),
        "the table and its indexes, in both regions",
    ),
    RequiredPermission(("lambda:ListTags", "lambda:GetFunctionConcurrency"), "the function, in both regions"),
    RequiredPermission(("route53:GetHealthCheck", "route53:GetHealthCheckStatus"), "both health checks"),
    RequiredPermission(("ssm:GetParameter",), "the API key's parameter"),
    RequiredPermission(
        ("ssm:GetParameter", "ssm:PutParameter"),
        "the flag's parameter in the survivor, where fail-back is manual: the drill holds its rule off",
    ),
    RequiredPermission(("apigateway:GET",), "the usage plans, for what is left of today's quota"),
    RequiredPermission(("s3:ListBucketVersions",), "the audit buckets"),
    RequiredPermission(
        ("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"),
        "their `test/*`, for the payments' objects; the second where objects are locked",
    ),
)
"""What every drill looks at, and what it takes to read payments back and to remove them."""

_OPENING = """\
# What a failover drill makes fail

`payinfra failover-drill --env ENV --scenario NAME`. Several are injected together and taken back in the
opposite order. `--reverse` loses the secondary region instead of the primary: payments then go by the latency
name, asked for as clients near the secondary ask, and so to the secondary's own endpoint.

Every drill begins and ends with the steady state: every probe of `payinfra verify` passes, no alarm rings,
and payments get through. What is done is written to the drill's journal before it is done, with what was
there before. After a kill, `payinfra failover-drill --restore --env ENV` puts it back. It also holds what was
declared against what is there, and so finds a fault, and payments of drills, whose journal or log is lost. It
exits with 5 while anything is left, or cannot be looked at.

From before the first fault until the last one is rolled back, what is changed bears a tag
`payinfra:drill:SCENARIO`: the drill, since when, and what was there before. `--restore`, `verify` and
`status` find that as well.
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
            f"| [{one.name}](#{one.name}) | {_yes(one.on_aws)} | yes | {_yes(one.switches_names)} |"
            for one in all_faults()
        ),
        "",
    ]
    parts = [
        _OPENING,
        *table,
        "## What every drill takes on AWS",
        "",
        *_permissions(EVERY_DRILL),
        _ROLES,
        *(line for one in all_faults() for line in _section(one)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _section(fault: Fault) -> Iterator[str]:
    about = fault.documentation
    yield from (f"## {fault.name}", "", about.title, "")
    yield f"- **Steady state.** {about.steady_state}"
    yield f"- **Injection.** {about.injection}"
    yield "- **Expected signals.**"
    yield from (f"  - {signal}" for signal in about.signals)
    yield f"- **Restoration.** {about.restoration}"
    yield ""
    if fault.on_aws:
        yield from _permissions((*fault.permissions, fault.mark.permission()))


def _permissions(permissions: Iterable[RequiredPermission]) -> Iterator[str]:
    yield from ("| who | may | on |", "|---|---|---|")
    for one in permissions:
        yield f"| {one.who} | {', '.join(f'`{action}`' for action in one.actions)} | {one.on} |"
    yield ""


def _yes(it_is: bool) -> str:
    return "yes" if it_is else "no"
