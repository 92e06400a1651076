"""The rules that are kept when told to (`payinfra.local.aws_rules`), and the quotas that are kept always."""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from payinfra.local.aws_rules import RULES, AwsRule, checked


@dataclass
class KeptRules:
    """What each rule's value is now, and emulated time, which quotas and delays are counted in.

    Args:
        now: seconds of emulated time, which never go back.
    """

    now: Callable[[], float] = time.monotonic
    _values: dict[str, float] = field(default_factory=dict)

    def value(self, rule: AwsRule) -> float:
        """A rule's value."""
        return self._values.get(rule.name, rule.usual)

    def set(self, wanted: Mapping[str, object]) -> None:
        """Change the rules that are named.

        Raises:
            UsageProblem: there is no such rule, or its value is not usable.
        """
        self._values |= checked(wanted)

    def reset(self) -> None:
        """Each rule has its usual value again."""
        self._values.clear()

    def values(self) -> Mapping[str, float]:
        """Each rule's value, by name."""
        return {rule.name: self.value(rule) for rule in RULES}


@dataclass
class Quota:
    """So many calls at once, and then one whenever some time has passed: a token bucket, one for each owner.

    Args:
        burst: calls that are served at once.
        every_s: seconds of emulated time until one more is served.
        now: those seconds.
    """

    burst: int
    every_s: float
    now: Callable[[], float]
    _left: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def take(self, owner: Hashable = None) -> bool:
        """Whether one more call is served. One that is refused counts for nothing."""
        now = self.now()
        left, since = self._left.get(owner, (float(self.burst), now))
        left = min(float(self.burst), left + max(0.0, now - since) / self.every_s)
        served = left >= 1.0 - 1e-9
        self._left[owner] = (left - 1.0 if served else left, now)
        return served
