"""How long each phase should take, from what was declared: the other half of every measurement.

The sum is the recovery time that a drill is held to unless a person states another:

    threshold x (interval + time to fail)  +  propagation  +  TTL  +  reconnect

Sources: "How Amazon Route 53 determines whether a health check is healthy" (Developer Guide) for interval,
threshold and the checkers' limits. That the data plane follows a changed health check within seconds is what
AWS says without a number: `PROPAGATION_S` is an allowance, not a promise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from payinfra.core.outputs import DeclaredDns, DeclaredEvacuation, DeclaredHealth
from payinfra.drill.faults.model import HealthEffect
from payinfra.drill.faults.scenarios import (
    chosen_faults,
    evacuates,
    fails_requests,
    sends_to_both,
    switches_names,
)
from payinfra.drill.model import DrillRequest, Phase

PROPAGATION_S = 10.0
"""Allowance for Route 53 on AWS: from a changed status, or a changed health check, to its name servers."""
EMBEDDED_PROPAGATION_S = 1.0
"""The same for the embedded AWS, whose answers follow at once: what looking four times a second costs."""
EMBEDDED_EFFECT_S = 2.0
"""Until a fault of the embedded AWS has been looked for, beside the silence that it may consist of."""
CHECKER_ANSWER_S = 2.0
"""How long a checker waits for the status line once it is connected."""
CHECKER_FLOOR_S = 1.0
"""The embedded AWS's checkers wait at least this long, however fast its time runs."""
REQUEST_TIMEOUT_S = 5.0
"""How long the drill's client waits for an answer, in unscaled time."""
REQUEST_FLOOR_S = 3.0
"""The least that the client waits however fast time runs: a function's first start takes real time."""
TTL_FLOOR_S = 1.0
"""The embedded AWS gives no shorter TTL, but for records whose TTL is 0."""
CATCH_UP_S = 10.0
"""Allowance for replication between regions; DynamoDB promises no bound."""
ALARMS_LOOK_BACK_S = 300.0
"""The longest time over which an alarm of the stack judges; until then it may ring for what is over."""
EMBEDDED_ALARMS_S = 5.0
"""How often the embedded AWS judges alarms."""
ALIAS_TTL_S = 60
"""TTL of alias records on a regional API (Developer Guide, choosing between alias and non-alias records)."""

FLAG_KEPT_S = 2.0
"""How long the function keeps what it read of an evacuation's flag (handlers/payments/evacuation.py), in real
time."""
PAGE_ANSWER_S = 1.0
"""Allowance for the answer of an evacuation's page to a checker."""
RETURN_S = 60.0
"""Allowance for a return: probes, marks that cross both ways, ten times the latency of replication, and the
payments of both regions compared."""

_COMING_BACK = frozenset({Phase.HEALTHY, Phase.DNS_BACK, Phase.CAUGHT_UP, Phase.STEADY_AFTER})


@dataclass(frozen=True)
class Prediction:
    """What is expected of a drill.

    Attributes:
        phases: seconds by phase, in real time; a phase that is not waited for is absent.
        switches: whether the health check becomes unhealthy.
        recovers: whether the region really fails, or is evacuated, so that its clients have to recover.
        earliest_s: what a health check takes at least to find the fault out.
        request_timeout_s: how long the drill's client waits for an answer.
        slow_s: how long an answer may take on this machine, whatever is usual; 0 on AWS.
        evacuates: whether the name has to stay where it is although the region is healthy.
    """

    phases: Mapping[Phase, float]
    switches: bool
    recovers: bool
    request_timeout_s: float
    earliest_s: float = 0.0
    slow_s: float = 0.0
    evacuates: bool = False

    def waiting_until(self, within_s: float) -> "Prediction":
        """The same, with a wait until so many seconds after the injection before the fault is taken away."""
        until_hold = (Phase.UNHEALTHY, Phase.SWITCHED, Phase.SERVING, Phase.HOLD)
        left = within_s - sum(self.phases.get(phase, 0.0) for phase in until_hold)
        return replace(self, phases={**self.phases, Phase.ALARMS: left}) if left > 0 else self

    @property
    def recovery_s(self) -> float:
        """From the injection until the other region serves."""
        recovering = (Phase.UNHEALTHY, Phase.SWITCHED, Phase.SERVING)
        return sum(self.phases.get(phase, 0.0) for phase in recovering)

    @property
    def losing_s(self) -> float:
        """From the first payment until the fault is taken away."""
        return sum(seconds for phase, seconds in self.phases.items() if phase not in _COMING_BACK)

    @property
    def whole_s(self) -> float:
        """The drill from its first payment on."""
        return sum(self.phases.values())


def request_timeout_s(time_scale: float, slow_s: float = 0.0) -> float:
    """How long the drill's client waits for an answer, in real seconds; `slow_s`: what the machine needs."""
    return max(REQUEST_TIMEOUT_S / time_scale, REQUEST_FLOOR_S, slow_s)


def kept_s(dns: DeclaredDns, time_scale: float, slow_s: float = 0.0) -> float:
    """How long a client keeps an answer, in real seconds: long enough to send within it on this machine."""
    ttl = ALIAS_TTL_S if dns.delegated else dns.ttl_s
    return max(ttl / time_scale, TTL_FLOOR_S, slow_s) if ttl else 0.0


def flag_found_out_s(evacuation: DeclaredEvacuation, time_scale: float) -> float:
    """How long Route 53's checkers take to see an evacuation's flag, or that it is lifted, in real seconds:
    threshold x interval of the health check on the page, and the function's own memory of the flag."""
    return FLAG_KEPT_S + evacuation.threshold * (evacuation.interval_s / time_scale + PAGE_ANSWER_S)


def predict(
    request: DrillRequest,
    health: DeclaredHealth,
    dns: DeclaredDns,
    *,
    on_aws: bool,
    slow_s: float = 0.0,
    evacuation: DeclaredEvacuation | None = None,
) -> Prediction:
    """What this drill should take in an environment with these health checks and names.

    Args:
        evacuation: how the environment is evacuated; None where it cannot be, nor is in this drill.
        slow_s: how long an answer may take on this machine, whatever is usual.
    """
    scale = request.time_scale
    effects = frozenset(fault.health for fault in chosen_faults(request))
    switches = switches_names(request)
    fails = fails_requests(request)
    timeout = request_timeout_s(scale, slow_s)
    propagation = PROPAGATION_S if on_aws else EMBEDDED_PROPAGATION_S
    moved_by_flag = evacuation if evacuates(request) else None
    settled = health.threshold * health.interval_s / scale if fails else 0.0
    if moved_by_flag is not None:
        settled = max(settled, flag_found_out_s(moved_by_flag, scale))
    by_name = request.payments_a_second / (2 if sends_to_both(request) else 1)
    phases = {
        Phase.TAKES_EFFECT: _takes_effect_s(request, timeout, on_aws=on_aws),
        Phase.LOAD: max(request.warm_up_s, request.in_a_row / by_name),
        Phase.HOLD: request.hold_s,
        Phase.CAUGHT_UP: CATCH_UP_S,
        Phase.STEADY_AFTER: (ALARMS_LOOK_BACK_S + (0.0 if on_aws else EMBEDDED_ALARMS_S)) / scale,
    }
    if switches:
        phases[Phase.UNHEALTHY] = propagation + _time_to_find_out(effects, health, scale, moved_by_flag)
        # A health check that was only told so is healthy as soon as it is told no more.
        phases[Phase.HEALTHY] = propagation + settled
        phases[Phase.SWITCHED] = propagation
        phases[Phase.DNS_BACK] = propagation
        # The last client has just asked when the name is switched, and a payment of it has just been sent.
        phases[Phase.SERVING] = kept_s(dns, scale, slow_s) + timeout
    if fails:
        phases[Phase.FIRST_FAILURE] = timeout + 1 / request.payments_a_second
    if moved_by_flag is not None:
        phases[Phase.RETURN] = RETURN_S
    earliest = [(health.threshold - 1) * health.interval_s / scale] if fails else []
    if moved_by_flag is not None:
        earliest.append((moved_by_flag.threshold - 1) * moved_by_flag.interval_s / scale)
    return Prediction(
        phases,
        switches,
        fails or moved_by_flag is not None,
        timeout,
        0.0 if HealthEffect.SET_UNHEALTHY in effects else min(earliest, default=0.0),
        slow_s,
        moved_by_flag is not None,
    )


def _takes_effect_s(request: DrillRequest, timeout_s: float, *, on_aws: bool) -> float:
    """Until a fault is seen: on AWS as its documentation says; on the embedded one at once, or by silence."""
    if on_aws:
        return max(fault.sign.within_s for fault in chosen_faults(request))
    return EMBEDDED_EFFECT_S + timeout_s


def _time_to_find_out(
    effects: frozenset[HealthEffect],
    health: DeclaredHealth,
    scale: float,
    evacuation: DeclaredEvacuation | None,
) -> float:
    """Until enough checkers have changed their minds. A check that is told needs none of them to.

    Args:
        evacuation: how the region is evacuated; None where it is not.
    """
    if HealthEffect.SET_UNHEALTHY in effects:
        return 0.0
    found: list[float] = []
    if evacuation is not None:
        found.append(flag_found_out_s(evacuation, scale))
    if any(effect.fails_requests for effect in effects):
        to_fail = 0.0
        if effects & {HealthEffect.ANSWERS_NOTHING, HealthEffect.ANSWERS_LATE}:
            to_fail = max(CHECKER_ANSWER_S / scale, CHECKER_FLOOR_S)
        found.append(health.threshold * (health.interval_s / scale + to_fail))
    return min(found)
