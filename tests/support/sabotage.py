"""Deployments that are damaged on purpose, and what a drill must say of each.

Each is drilled by the real engine in simulated time (`tests/support/simulation.py`). What it said is kept in
`sabotage.json` beside this file, from which the table in docs/scenarios.md is made.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from payinfra.drill.model import DrillReport, DrillRequest
from tests.support.simulation import Damage, drill

FILE = Path(__file__).with_suffix(".json")
REQUEST = DrillRequest(warm_up_s=6.0, hold_s=8.0, in_a_row=5)

OUTAGE, THROTTLE, HEALTH, PAUSE = "region-outage", "lambda-throttle", "health-check", "replication-pause"


@dataclass(frozen=True)
class Sabotage:
    """A damaged deployment.

    Attributes:
        where: what part of it is damaged.
        what: the damage, in words.
        says: what the drill's cause has to contain.
        verdict: of resilience, or of restoration where `restored`.
        request: fields of the request that differ.
    """

    where: str
    what: str
    damage: Damage
    says: str
    verdict: str = "FAIL"
    scenario: str = OUTAGE
    restored: bool = False
    request: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return f"{self.scenario}: {self.where}: {self.what}"


@dataclass(frozen=True)
class Outcome:
    """What a drill said of a damaged deployment."""

    where: str
    what: str
    scenario: str
    resilience: str
    restoration: str
    cause: str


def causes(report: DrillReport) -> tuple[str, ...]:
    """Every sentence that says why a verdict is not PASS."""
    return (*report.reasons, *(doubt.what for doubt in report.doubts))


def run(sabotage: Sabotage, folder: Path) -> tuple[DrillReport, Outcome]:
    """Drill it; the report, and what is kept of that."""
    request = replace(REQUEST, **sabotage.request)  # type: ignore[arg-type] # each is a field of numbers
    report, _ = drill(sabotage.damage, folder, scenario=sabotage.scenario, request=request)
    cause = next((one for one in causes(report) if sabotage.says in one), "")
    return report, Outcome(
        sabotage.where,
        sabotage.what,
        sabotage.scenario,
        report.resilience.value,
        report.restored.value,
        cause,
    )


def kept() -> tuple[Outcome, ...]:
    """What drills said when that was kept last."""
    return tuple(Outcome(**one) for one in json.loads(FILE.read_text(encoding="utf-8")))


def keep(outcomes: tuple[Outcome, ...]) -> None:
    """Keep what drills said."""
    FILE.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n", encoding="utf-8")


SABOTAGES: tuple[Sabotage, ...] = (
    # -- the survivor
    Sabotage(
        "survivor",
        "answers nothing once the other region is lost",
        Damage(survivor_silent=True),
        "us-west-2 answered 100% of the last 10 s with errors",
    ),
    Sabotage(
        "survivor",
        "answers every tenth payment with a 500",
        Damage(survivor_fails=0.1),
        "it does not carry the load",
    ),
    Sabotage(
        "survivor",
        "answers one payment in fifty with a 500",
        Damage(survivor_fails=0.02),
        "acknowledged at the first attempt while the survivor served",
        request={"rate": 12.0},
    ),
    Sabotage(
        "survivor",
        "takes 2 seconds for each payment",
        Damage(survivor_latency_s=2.0),
        "95th percentile of latency while the survivor served: 2.0 s; the objective is 1.0 s.",
    ),
    Sabotage(
        "survivor",
        "refuses every fifteenth payment for good",
        Damage(refuses=15),
        "never acknowledged",
    ),
    # -- capacity
    Sabotage(
        "capacity",
        "the survivor takes half of the load",
        Damage(survivor_carries=2.5),
        "us-west-2 answered",
    ),
    # -- routing
    Sabotage(
        "routing",
        "the name stays with the lost region",
        Damage(name_moves=False),
        "Not within 32 s: DNS switched.",
    ),
    Sabotage(
        "routing",
        "one of the name servers goes on answering as before",
        Damage(name_is_stale=True),
        "Not within 32 s: DNS switched.",
    ),
    Sabotage(
        "routing",
        "the health check never finds the region out",
        Damage(finds_out=False),
        "health check unhealthy",
    ),
    Sabotage(
        "routing",
        "the health check finds it out 20 seconds late",
        Damage(finds_out_late_s=20.0),
        "time until the other region served the last client (RTO)",
    ),
    Sabotage(
        "routing",
        "clients keep the answer five times as long as declared",
        Damage(ttl_s=30.0),
        "time until the other region served the last client (RTO)",
    ),
    Sabotage(
        "routing",
        "the name leads back to the lost region after the switch",
        Damage(flaps_after_s=3.0),
        "acknowledged at the first attempt while the survivor served",
    ),
    Sabotage(
        "routing",
        "the name had left the region before the fault",
        Damage(name_left_at_s=3.0),
        "The name did not lead to us-east-1 before anything was done: it leads to us-west-2.",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "routing",
        "the health check was about to give up before the fault",
        Damage(was_failing=True),
        "the name was leaving already",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "routing",
        "the region stays unhealthy once the fault is gone",
        Damage(does_not_return=True),
        "after the restoration: health check healthy.",
        restored=True,
    ),
    Sabotage(
        "routing",
        "the name stays with the survivor once the fault is gone",
        Damage(name_does_not_return=True),
        "after the restoration: DNS back.",
        restored=True,
    ),
    # -- replication
    Sabotage(
        "replication",
        "takes 10 seconds",
        Damage(replication_s=10.0),
        "acknowledged and not in the survivor at the failover (RPO)",
    ),
    Sabotage(
        "replication",
        "takes 10 seconds, while the region keeps serving",
        Damage(replication_s=10.0),
        "acknowledged and not in the survivor at the failover (RPO)",
        scenario=HEALTH,
    ),
    Sabotage(
        "replication",
        "does not work",
        Damage(replicates=False),
        "is not the same in both regions",
    ),
    Sabotage(
        "replication",
        "does not bring back what the survivor took",
        Damage(replicates_back=False),
        "is not the same in both regions",
    ),
    Sabotage(
        "replication",
        "every thirtieth acknowledged payment is stored nowhere",
        Damage(forgets=30),
        "acknowledged and in no region in the end",
    ),
    Sabotage(
        "replication",
        "every thirtieth payment is stored twice",
        Damage(stores_twice=30),
        "is there more than once",
    ),
    Sabotage(
        "replication",
        "works although it was to be paused: somebody lifted the pause after 2 seconds",
        Damage(lifted_after_s=2.5),
        "The fault replication-pause was lifted early",
        "INCONCLUSIVE",
        scenario=PAUSE,
    ),
    # -- audit
    Sabotage(
        "audit",
        "the survivor's bucket takes no audit objects",
        Damage(audit_fails_in="us-west-2"),
        "acknowledged without an audit object in either region",
    ),
    Sabotage(
        "audit",
        "the lost region's bucket takes no audit objects",
        Damage(audit_fails_in="us-east-1"),
        "acknowledged without an audit object in either region",
        scenario=THROTTLE,
    ),
    Sabotage(
        "audit",
        "objects are not replicated",
        Damage(audit_replicates=False),
        "audit objects reached one region's bucket only",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "audit",
        "the buckets cannot be read",
        Damage(audit_unreadable=True),
        "audit objects could not be read: access denied",
        "INCONCLUSIVE",
    ),
    # -- alarms
    Sabotage(
        "alarms",
        "the alarm on the health check stays silent",
        Damage(health_alarm_rings=False),
        "The alarm health-us-east-1 in us-east-1 had to ring",
        scenario=THROTTLE,
    ),
    Sabotage(
        "alarms",
        "the alarm on throttles stays silent",
        Damage(throttle_alarm_rings=False),
        "The alarm throttles in us-east-1 had to ring",
        scenario=THROTTLE,
    ),
    Sabotage(
        "alarms",
        "the survivor's alarms cannot be looked at",
        Damage(alarms_unreadable_in="us-west-2"),
        "whether alarms rang in us-west-2.",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "alarms",
        "an alarm of the survivor's table rings",
        Damage(survivor_alarm_s=3.0),
        "The alarm table in us-west-2 rang, and nothing was to fail there.",
    ),
    Sabotage(
        "alarms",
        "the survivor's alarm on 5xx rings: other customers are hurt",
        Damage(customers_alarm_s=3.0),
        "Customers noticed: 5xx in us-west-2 in alarm",
    ),
    Sabotage(
        "alarms",
        "the latency alarm of a region rings that was to keep serving",
        Damage(lost_alarm_s=1.0),
        "Customers noticed: latency in us-east-1 in alarm",
        scenario=HEALTH,
    ),
    # -- the fault itself
    Sabotage(
        "the fault",
        "has no effect",
        Damage(effect=False),
        "The fault was not seen to take effect within",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "the fault",
        "is refused",
        Damage(refused=True),
        "access denied",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "the fault",
        "is lifted by somebody else after 3 seconds",
        Damage(lifted_after_s=3.0),
        "was lifted early",
        "INCONCLUSIVE",
        scenario=THROTTLE,
    ),
    Sabotage(
        "the fault",
        "cannot be looked at after 2 seconds",
        Damage(evidence_blind_after_s=2.0),
        "Nobody could tell whether the fault region-outage was in effect after",
        "INCONCLUSIVE",
        request={"hold_s": 15.0},
    ),
    Sabotage(
        "the fault",
        "cannot be rolled back",
        Damage(not_lifted=True),
        "Not restored: us-east-1 answers nothing",
        restored=True,
    ),
    # -- who drills
    Sabotage(
        "the machine",
        "payments are begun a second late",
        Damage(lag_s=1.0),
        "The load generator was too slow",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "the machine",
        "is busy, and the survivor seems slow",
        Damage(waiting=0.9, survivor_latency_s=2.0),
        "The machine was busy, and the embedded AWS runs on it",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "the machine",
        "is busy, and the survivor seems not to carry the load",
        Damage(waiting=0.9, survivor_fails=0.2),
        "processes waited for a processor for 90% of the time",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "the machine",
        "the load generator stops",
        Damage(load_dies_at_s=8.0),
        "The load has sent nothing for 5 s: the drill was blind.",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "the person",
        "interrupts before the fault",
        Damage(interrupted_at_s=3.0),
        "The drill was interrupted (SIGINT).",
        "INCONCLUSIVE",
    ),
    # -- what is read
    Sabotage(
        "reading",
        "the survivor's table cannot be read at the failover",
        Damage(survivor_unreadable=True),
        "nobody knows what it lacked",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "reading",
        "the payments cannot be read in the end",
        Damage(unreadable=True),
        "The payments were not read back",
        "INCONCLUSIVE",
    ),
    Sabotage(
        "restoration",
        "the drill's payments stay in the survivor's table",
        Damage(not_removed=True),
        "of the drill could not be removed",
        restored=True,
    ),
    Sabotage(
        "restoration",
        "an alarm rings in the end",
        Damage(unsteady_after=("the alarm on throttles rings",)),
        "the alarm on throttles rings",
        restored=True,
    ),
)

UNDAMAGED: tuple[str, ...] = (HEALTH, THROTTLE, OUTAGE, PAUSE)
"""The faults that an undamaged deployment must come through with PASS."""
