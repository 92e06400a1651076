"""How long each phase should take, from what was declared: the other half of every measurement.

The sum is the recovery time that a drill is held to unless a person states another:

    threshold x (interval + time to fail)  +  propagation  +  TTL  +  reconnect

Sources: "How Amazon Route 53 determines whether a health check is healthy" (Developer Guide) for interval,
threshold and the checkers' limits. That the data plane follows a changed health check within seconds is what
AWS says without a number: `PROPAGATION_S` is an allowance, not a promise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from payinfra.core.outputs import DeclaredDns, DeclaredHealth
from payinfra.drill.faults.model import HealthEffect
from payinfra.drill.faults.scenarios import chosen_faults, fails_requests, sends_to_both, switches_names
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

_COMING_BACK = frozenset({Phase.HEALTHY, Phase.DNS_BACK, Phase.CAUGHT_UP, Phase.STEADY_AFTER})


@dataclass(frozen=True)
class Prediction:
    """What is expected of a drill.

    Attributes:
        phases: seconds by phase, in real time; a phase that is not waited for is absent.
        switches: whether the health check becomes unhealthy.
        recovers: whether the region really fails, so that its clients have to recover.
        earliest_s: what a health check takes at least to find the fault out.
        request_timeout_s: how long the drill's client waits for an answer.
        slow_s: how long an answer may take on this machine, whatever is usual; 0 on AWS.
    """

    phases: Mapping[Phase, float]
    switches: bool
    recovers: bool
    request_timeout_s: float
    earliest_s: float = 0.0
    slow_s: float = 0.0

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


def predict(
    request: DrillRequest, health: DeclaredHealth, dns: DeclaredDns, *, on_aws: bool, slow_s: float = 0.0
) -> Prediction:
    """What this drill should take in an environment with these health checks and names.

    Args:
        slow_s: how long an answer may take on this machine, whatever is usual.
    """
    scale = request.time_scale
    effects = frozenset(fault.health for fault in chosen_faults(request))
    switches = switches_names(request)
    fails = fails_requests(request)
    timeout = request_timeout_s(scale, slow_s)
    propagation = PROPAGATION_S if on_aws else EMBEDDED_PROPAGATION_S
    settled = health.threshold * health.interval_s / scale
    by_name = request.payments_a_second / (2 if sends_to_both(request) else 1)
    phases = {
        Phase.TAKES_EFFECT: _takes_effect_s(request, timeout, on_aws=on_aws),
        Phase.LOAD: max(request.warm_up_s, request.in_a_row / by_name),
        Phase.HOLD: request.hold_s,
        Phase.CAUGHT_UP: CATCH_UP_S,
        Phase.STEADY_AFTER: (ALARMS_LOOK_BACK_S + (0.0 if on_aws else EMBEDDED_ALARMS_S)) / scale,
    }
    if switches:
        phases[Phase.UNHEALTHY] = propagation + _time_to_find_out(effects, health, scale)
        # A health check that was only told so is healthy as soon as it is told no more.
        phases[Phase.HEALTHY] = propagation + (settled if fails else 0.0)
        phases[Phase.SWITCHED] = propagation
        phases[Phase.DNS_BACK] = propagation
        # The last client has just asked when the name is switched, and a payment of it has just been sent.
        phases[Phase.SERVING] = kept_s(dns, scale, slow_s) + timeout
    if fails:
        phases[Phase.FIRST_FAILURE] = timeout + 1 / request.payments_a_second
    found_out = fails and HealthEffect.SET_UNHEALTHY not in effects
    earliest = (health.threshold - 1) * health.interval_s / scale if found_out else 0.0
    return Prediction(phases, switches, fails, timeout, earliest, slow_s)


def _takes_effect_s(request: DrillRequest, timeout_s: float, *, on_aws: bool) -> float:
    """Until a fault is seen: on AWS as its documentation says; on the embedded one at once, or by silence."""
    if on_aws:
        return max(fault.sign.within_s for fault in chosen_faults(request))
    return EMBEDDED_EFFECT_S + timeout_s


def _time_to_find_out(effects: frozenset[HealthEffect], health: DeclaredHealth, scale: float) -> float:
    """Until enough checkers have changed their minds. A check that is told needs none of them to."""
    if HealthEffect.SET_UNHEALTHY in effects:
        return 0.0
    to_fail = 0.0
    if HealthEffect.ANSWERS_NOTHING in effects:
        to_fail = max(CHECKER_ANSWER_S / scale, CHECKER_FLOOR_S)
    return health.threshold * (health.interval_s / scale + to_fail)
