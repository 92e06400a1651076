"""What a probe is, and what it is given.

A probe observes the live environment and says what it saw. How to write one (its module is named in the
package's `MODULES`):

    @regional("LIVE-KMS-002", title="Each customer key rotates", severity=Severity.MEDIUM,
              risk="...", fix="...", within_s=15)
    def keys_rotate(live: ProbeContext, site: RegionUnderTest) -> Verdicts: ...

    @paired("LIVE-FN-003", title="Both regions run the same code", ...)
    def same_code(live: ProbeContext) -> Verdicts: ...

- A regional probe is called for each region, a paired one once.
- What may become right by itself is said with `NotYet`: the engine asks again, with growing pauses, until the
  deadline, and then makes a FAIL of it, or what `late` says. `NoData` is asked again as well, and comes to an
  ERROR. Anything else is a verdict at once.
- Access denied, no answer and crashes are the engine's to report: a probe lets them pass through.
- A probe that writes keeps what it wrote apart by `live.run`, removes it, and waits with `live.patience`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict, Verdicts
from payinfra.clients.retry import Deadline

if TYPE_CHECKING:
    from payinfra.clients.aws import Aws
    from payinfra.clients.dns import Dns
    from payinfra.clients.http import Http, Tls
    from payinfra.core.outputs import Declared, DeclaredRegion, Outputs, RegionOutputs


@dataclass(frozen=True)
class RegionUnderTest:
    """One region of the environment: what it gave out, what was declared for it, and its peer."""

    outputs: "RegionOutputs"
    declared: "DeclaredRegion"
    peer: "RegionOutputs"
    peer_declared: "DeclaredRegion"

    @property
    def region(self) -> str:
        """The region's name."""
        return self.outputs.region


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ProbeContext:
    """The environment and the ways to ask it.

    Attributes:
        run: tells this run's canaries from every other's.
        began: when the run began; a canary that is sent again must be the same to the letter.
        patience: of the probe that is being called.
    """

    aws: "Aws"
    outputs: "Outputs"
    declared: "Declared"
    http: "Http"
    dns: "Dns"
    tls: "Tls"
    run: str
    began: datetime
    patience: Deadline = field(default_factory=lambda: Deadline(ends=float("inf")))
    now: Callable[[], datetime] = _utc_now

    @property
    def is_aws(self) -> bool:
        """Whether this is AWS itself, where there are TLS and public names."""
        return self.aws.endpoints is None

    @property
    def sites(self) -> tuple[RegionUnderTest, RegionUnderTest]:
        """The primary region, then the secondary."""
        here, there = self.outputs.regions
        ours, theirs = self.declared.regions
        return RegionUnderTest(here, ours, there, theirs), RegionUnderTest(there, theirs, here, ours)


JudgeRegion = Callable[[ProbeContext, RegionUnderTest], Verdicts]
JudgePair = Callable[[ProbeContext], Verdicts]


@dataclass(frozen=True)
class RegionProbe:
    """A probe that is called for each region.

    Attributes:
        within_s: its deadline, in seconds from its start.
        on_aws_s: its deadline on AWS, where that takes longer than the embedded one; None for the same.
        late: what it comes to where it was NotYet until then.
        needs_peer: it asks the other region as well, and can judge nothing while that does not answer.
    """

    rule: Rule
    within_s: float
    judge: JudgeRegion
    late: Kind = Kind.FAIL
    needs_peer: bool = False
    on_aws_s: float | None = None


@dataclass(frozen=True)
class PairProbe:
    """A probe of both regions together; the attributes are those of RegionProbe."""

    rule: Rule
    within_s: float
    judge: JudgePair
    late: Kind = Kind.FAIL
    on_aws_s: float | None = None


Probe = RegionProbe | PairProbe

FIRST_REPORTS_S = 390.0
"""How long health checkers and first metrics are waited for on AWS, in seconds: asked for 312 of them.

A check of 30 s with a threshold of 10 has its status after five minutes; metrics come once a minute, and
"several minutes might elapse" until an alarm follows them (Route 53 developer guide, "How Amazon Route 53
determines whether a health check is healthy" and "Monitoring health checks using CloudWatch"; the pages on
metrics of Lambda's and API Gateway's developer guides).
"""


def regional(
    id: str,
    *,
    title: str,
    severity: Severity,
    risk: str,
    fix: str,
    within_s: float = 15.0,
    late: Kind = Kind.FAIL,
    needs_peer: bool = False,
    on_aws_s: float | None = None,
) -> Callable[[JudgeRegion], RegionProbe]:
    """Make a probe of a function that judges one region."""

    def make(judge: JudgeRegion) -> RegionProbe:
        return RegionProbe(Rule(id, title, severity, risk, fix), within_s, judge, late, needs_peer, on_aws_s)

    return make


def paired(
    id: str,
    *,
    title: str,
    severity: Severity,
    risk: str,
    fix: str,
    within_s: float = 15.0,
    late: Kind = Kind.FAIL,
    on_aws_s: float | None = None,
) -> Callable[[JudgePair], PairProbe]:
    """Make a probe of a function that judges both regions."""

    def make(judge: JudgePair) -> PairProbe:
        return PairProbe(Rule(id, title, severity, risk, fix), within_s, judge, late, on_aws_s)

    return make


def all_of(faults: Iterable[str], passed: str = "") -> Verdict:
    """A pass where there are no faults, else one failure that names them all."""
    found = tuple(faults)
    return Verdict.failed("; ".join(found)) if found else Verdict.passed(passed)


def differences(pairs: Iterable[tuple[str, object, object]]) -> tuple[str, ...]:
    """A phrase for each `(what, found, declared)` whose two values differ."""
    return tuple(
        f"{what} is {found!r}, declared is {wanted!r}" for what, found, wanted in pairs if found != wanted
    )
