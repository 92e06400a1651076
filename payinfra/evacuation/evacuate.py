"""Evacuate a region: say what will be done, set the flag at the survivor, wait until the names have moved.

The flag itself is what is remembered of an evacuation: whoever is killed at any point runs the command again,
which finds it standing and goes on waiting.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from payinfra.clients.retry import Deadline
from payinfra.core.errors import ExitCode, GateFailed
from payinfra.core.evacuation import EvacuationFlag
from payinfra.drill.observers import DnsAnswer, all_lead_to
from payinfra.evacuation.capacity import CapacityLine, capacity
from payinfra.evacuation.survivor import Survivor, led_to

PATIENCE = 3.0
"""The names are waited for as many times as long as they should take."""
POLL_S = 0.5
HEALTHY = "200"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class NameLed:
    """A name, and where each of its name servers leads now; no answers where one does not answer."""

    name: str
    answers: tuple[DnsAnswer, ...]

    def leads_to(self, region: str) -> bool:
        """Whether every name server leads to a region."""
        return all_lead_to(region)(self.answers)


@dataclass(frozen=True)
class EvacuationPlan:
    """What an evacuation will do, and to what.

    Attributes:
        flag: what stands already; None where nothing does.
        health: what the survivor's health page answers.
        names: where the names lead now.
        moves_within_s: until the name servers answer with the survivor, in seconds.
        forgotten_within_s: how much longer clients may keep the former answer, in seconds.
    """

    env: str
    evacuated: str
    survivor: str
    flag: EvacuationFlag | None
    health: str
    names: tuple[NameLed, ...]
    moves_within_s: float
    forgotten_within_s: float
    capacity: tuple[CapacityLine, ...]


@dataclass(frozen=True)
class Evacuated:
    """What came of it.

    Attributes:
        flag: as it stands.
        page: what the survivor's page says to health checkers.
        seconds: from the flag until the names had moved, or until they were waited for no longer.
    """

    plan: EvacuationPlan
    flag: EvacuationFlag
    page: str
    names: tuple[NameLed, ...]
    seconds: float

    @property
    def has_moved(self) -> bool:
        """Whether every name server leads to the survivor."""
        return all(one.leads_to(self.plan.survivor) for one in self.names)

    @property
    def exit_code(self) -> ExitCode:
        """A gate that fails while a name leads elsewhere."""
        return ExitCode.DONE if self.has_moved else ExitCode.GATE_FAILED


def plan(survivor: Survivor) -> EvacuationPlan:
    """What an evacuation of the other region would do. Changes nothing.

    Raises:
        EnvironmentUnusable: the survivor cannot be asked, or the environment cannot be evacuated.
    """
    return EvacuationPlan(
        env=survivor.env,
        evacuated=survivor.evacuated,
        survivor=survivor.region,
        flag=survivor.flag(),
        health=survivor.page("health"),
        names=names_led(survivor),
        moves_within_s=survivor.moves_within_s,
        forgotten_within_s=survivor.forgotten_within_s,
        capacity=capacity(survivor),
    )


def names_led(survivor: Survivor) -> tuple[NameLed, ...]:
    """Where both names lead now. Raises as `Survivor.names`."""
    return tuple(NameLed(one.name, led_to(one)) for one in survivor.names())


def evacuate(
    survivor: Survivor,
    planned: EvacuationPlan,
    by: str,
    tell: Tell,
    *,
    force: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Evacuated:
    """Evacuate the other region. To do it again goes on with what was begun.

    Args:
        by: who does it, for whoever asks later.
        force: even where the survivor's own health page does not answer 200.

    Raises:
        GateFailed: the survivor is not healthy.
        EnvironmentUnusable: the survivor cannot be asked, or refuses.
    """
    flag = planned.flag
    if flag is None or flag.drill:  # A drill's flag ends with the drill; a person's stands.
        if planned.health != HEALTHY and not force:
            raise GateFailed(
                f"The survivor's health page answers {planned.health}: {planned.survivor} cannot take over.",
                f"See to {planned.survivor} first. If it serves all the same, add --force.",
            )
        flag = EvacuationFlag(planned.evacuated, datetime.now(UTC).isoformat(timespec="seconds"), by)
        survivor.set_flag(flag)
        tell(f"The flag stands in {planned.survivor}. Names move within {planned.moves_within_s:.0f} s.")
    else:
        tell(f"{flag.region} is evacuated since {flag.since}, by {flag.by}. Waiting for the names.")
    began = clock()
    seen: tuple[NameLed, ...] = ()

    def moved() -> bool:
        nonlocal seen
        seen = names_led(survivor)
        return all(one.leads_to(planned.survivor) for one in seen)

    Deadline.within(PATIENCE * planned.moves_within_s, clock=clock, sleep=sleep).until(moved, pause_s=POLL_S)
    return Evacuated(planned, flag, survivor.page("evacuation"), seen, clock() - began)
