"""What was asked of the system, beside what was measured: one line each."""

from collections.abc import Iterator, Sequence

from payinfra.drill.load.statistics import percentile
from payinfra.drill.model import (
    LATENCY_FLOOR_S,
    Attempt,
    DrillRequest,
    Objective,
    PaymentOutcome,
    Reconciliation,
    RecoveryTime,
    SurvivorReading,
    Unit,
)

SLOWER = 3.0
"""How many times slower than before a survivor may answer, unless a person states a limit."""


def objectives(
    request: DrillRequest,
    *,
    recovery: RecoveryTime | None,
    survivor: SurvivorReading | None,
    judges_survivor: bool,
    reconciliation: Reconciliation | None,
    before: Sequence[Attempt],
    while_survivor_served: Sequence[Attempt],
    keeping_clients: frozenset[int],
) -> Iterator[Objective]:
    """Every objective of a drill.

    Args:
        recovery: None where nobody has to recover.
        survivor: what the survivor alone had; None where that was not read.
        judges_survivor: whether the regions were replicating until the loss, so that it must have had all.
        before: attempts before the injection.
        while_survivor_served: attempts from the recovery, or from the injection where there is none, to the
            end of the hold.
        keeping_clients: those that keep a connection to the region that was lost, whatever the name says:
            how they fare says nothing about the survivor.
    """
    if recovery is not None:
        yield Objective(
            "time until the other region served the last client (RTO)",
            Unit.SECONDS,
            recovery.measured_s,
            recovery.objective_s,
        )
    if judges_survivor:
        missing = None if survivor is None else float(survivor.missing)
        oldest = None if survivor is None else survivor.oldest_s
        yield Objective(
            "acknowledged and not in the survivor at the failover (RPO)",
            Unit.PAYMENTS,
            missing,
            float(request.rpo),
            timed=False,
        )
        yield Objective("age of the oldest of these (RPO)", Unit.SECONDS, oldest, request.rpo_s, timed=False)
    counted = reconciliation
    yield Objective(
        "acknowledged and in no region in the end",
        Unit.PAYMENTS,
        None if counted is None else float(counted.count(PaymentOutcome.LOST)),
        float(request.rpo),
        timed=False,
    )
    yield Objective(
        "never acknowledged",
        Unit.PAYMENTS,
        None if counted is None else float(counted.sent - counted.acknowledged),
        float(request.unacknowledged),
    )
    firsts = [
        one
        for one in while_survivor_served
        if one.number == 1 and not one.again and one.client not in keeping_clients
    ]
    yield Objective(
        "acknowledged at the first attempt while the survivor served",
        Unit.SHARE,
        sum(one.result.good for one in firsts) / len(firsts) if firsts else None,
        request.first_attempt,
        at_least=True,
    )
    usual = _p95(before)
    limit = request.latency_s
    if limit is None:
        limit = max(LATENCY_FLOOR_S, SLOWER * (usual or 0.0))
    yield Objective(
        "95th percentile of latency while the survivor served",
        Unit.SECONDS,
        _p95(while_survivor_served),
        limit,
    )


def _p95(attempts: Sequence[Attempt]) -> float | None:
    good = sorted(one.seconds for one in attempts if one.result.good)
    return percentile(good, 0.95) if good else None
