"""How long each phase should take, from what was declared: the other half of every measurement.

The sum is the recovery time that a drill is held to unless a person states another:

    threshold x (interval + time to fail)  +  propagation  +  TTL  +  reconnect

Sources: "How Amazon Route 53 determines whether a health check is healthy" (Developer Guide) for interval,
threshold and the checkers' limits. That the data plane follows a changed health check within seconds is what
AWS says without a number: `PROPAGATION_S` is an allowance, not a promise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from payinfra.core.outputs import DeclaredDns, DeclaredHealth
from payinfra.drill.faults.model import HealthEffect
from payinfra.drill.faults.scenarios import chosen_faults, moves_name, sends_to_both, switches_names
from payinfra.drill.model import DrillRequest, Phase

PROPAGATION_S = 10.0
"""Allowance for Route 53 on AWS: from a changed status, or a changed health check, to its name servers."""
EMBEDDED_PROPAGATION_S = 1.0
"""The same for the embedded AWS, whose answers follow at once: what looking four times a second costs."""
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
        moves: whether the name's clients are to move to the other region.
        request_timeout_s: how long the drill's client waits for an answer.
    """

    phases: Mapping[Phase, float]
    switches: bool
    moves: bool
    request_timeout_s: float

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


def request_timeout_s(time_scale: float) -> float:
    """How long the drill's client waits for an answer, in real seconds."""
    return max(REQUEST_TIMEOUT_S / time_scale, REQUEST_FLOOR_S)


def predict(request: DrillRequest, health: DeclaredHealth, dns: DeclaredDns, *, on_aws: bool) -> Prediction:
    """What this drill should take in an environment with these health checks and names."""
    scale = request.time_scale
    effects = frozenset(fault.health for fault in chosen_faults(request))
    switches = switches_names(request)
    moves = moves_name(request)
    timeout = request_timeout_s(scale)
    propagation = PROPAGATION_S if on_aws else EMBEDDED_PROPAGATION_S
    settled = health.threshold * health.interval_s / scale
    by_name = request.rate / (2 if sends_to_both(request) else 1)
    phases = {
        Phase.LOAD: max(request.warm_up_s, request.in_a_row / by_name),
        Phase.HOLD: request.hold_s,
        Phase.CAUGHT_UP: CATCH_UP_S,
        Phase.STEADY_AFTER: (ALARMS_LOOK_BACK_S + (0.0 if on_aws else EMBEDDED_ALARMS_S)) / scale,
    }
    if switches:
        phases[Phase.UNHEALTHY] = propagation + _time_to_find_out(effects, health, scale)
        # A health check that was only told so is healthy as soon as it is told no more.
        found_out = any(effect.fails_requests for effect in effects)
        phases[Phase.HEALTHY] = propagation + (settled if found_out else 0.0)
        phases[Phase.SWITCHED] = propagation
        phases[Phase.DNS_BACK] = propagation
    if moves:
        ttl = ALIAS_TTL_S if dns.delegated else dns.ttl_s
        kept = max(ttl / scale, TTL_FLOOR_S) if ttl else 0.0
        phases[Phase.SERVING] = kept + timeout
    if any(effect.fails_requests for effect in effects) and not request.reverse:
        phases[Phase.FIRST_FAILURE] = timeout + 1 / request.rate
    return Prediction(phases, switches, moves, timeout)


def _time_to_find_out(effects: frozenset[HealthEffect], health: DeclaredHealth, scale: float) -> float:
    """Until enough checkers have changed their minds. A check that is told needs none of them to."""
    if HealthEffect.SET_UNHEALTHY in effects:
        return 0.0
    to_fail = 0.0
    if HealthEffect.ANSWERS_NOTHING in effects:
        to_fail = max(CHECKER_ANSWER_S / scale, CHECKER_FLOOR_S)
    return health.threshold * (health.interval_s / scale + to_fail)
