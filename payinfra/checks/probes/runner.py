"""Runs probes: all at once, each with its deadline, so that one slow or denied call hides no other."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

from payinfra.checks.probes.failures import AGAIN, RAISED, late, verdict_for
from payinfra.checks.probes.model import PairProbe, Probe, ProbeContext, RegionUnderTest
from payinfra.checks.probes.results import ProbeResult, Tell, tell_nobody
from payinfra.checks.verdicts import Verdict, Verdicts
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.payments_api import KEY_KNOWN_WITHIN_S, KeyRefused
from payinfra.clients.retry import Deadline

_ASKING_SHARE = 0.8
"""The share of its deadline in which a probe asks again; the rest is for its last call and clearing up."""


@dataclass(frozen=True)
class ProbeClock:
    """Time, for the runner and its probes."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Task:
    """One call of a probe. `site` is None for the pair."""

    probe: Probe
    site: RegionUnderTest | None
    where: str
    within_s: float
    key_known_within_s: float = KEY_KNOWN_WITHIN_S

    def ask(
        self, live: ProbeContext, clock: ProbeClock, put_off: Callable[[float], None] = lambda _ends: None
    ) -> tuple[Verdict, ...]:
        """The probe's verdicts, whatever happens in it.

        Where the API refuses its key the probe begins anew, as long as a new key may take to be known.

        Args:
            put_off: told of the new deadline then, as the clock's time.
        """
        asking_s, began = self.within_s * _ASKING_SHARE, clock.now()
        keys = Deadline(began + max(asking_s, self.key_known_within_s), clock.now, clock.sleep)
        while True:
            patience = Deadline(clock.now() + asking_s, clock.now, clock.sleep)
            now = replace(live, patience=patience)
            try:
                return patience.poll(partial(self._answer, now)) or (_SAID_NOTHING,)
            except KeyRefused as error:
                if keys.left_s <= 0:
                    return (late(error, self.probe.late, clock.now() - began),)
                put_off(clock.now() + self.within_s)
            except NotYet as error:
                return (late(error, self.probe.late, asking_s),)
            except Exception as error:  # noqa: BLE001 - a probe that crashes is a finding, and hides no other
                return (verdict_for(error),)

    def _answer(self, live: ProbeContext) -> tuple[Verdict, ...]:
        return _as_tuple(self._call(live))

    def _call(self, live: ProbeContext) -> Verdicts:
        if isinstance(self.probe, PairProbe):
            return self.probe.judge(live)
        if self.site is None:
            raise ValueError(f"{self.probe.rule.id} needs a region")
        return self.probe.judge(live, self.site)


_SAID_NOTHING = Verdict.error("the probe gave no verdict", remedy=RAISED)


def _as_tuple(said: Verdicts) -> tuple[Verdict, ...]:
    return (said,) if isinstance(said, Verdict) else tuple(said)


def tasks(probes: Iterable[Probe], live: ProbeContext, deadline_s: float | None = None) -> tuple[Task, ...]:
    """The calls to make. `deadline_s` shortens every probe's own deadline to that many seconds."""
    made: list[Task] = []
    for probe in probes:
        own_s = (probe.on_aws_s if live.is_aws else None) or probe.within_s
        within_s = own_s if deadline_s is None else min(own_s, deadline_s)
        known_s = KEY_KNOWN_WITHIN_S if deadline_s is None else min(KEY_KNOWN_WITHIN_S, within_s)
        if isinstance(probe, PairProbe):
            made.append(Task(probe, None, ", ".join(site.region for site in live.sites), within_s, known_s))
        else:
            made += (Task(probe, site, site.region, within_s, known_s) for site in live.sites)
    return tuple(made)


def everything(_task: Task) -> bool:
    """Leave no task out."""
    return True


def run(
    probes: Sequence[Probe],
    live: ProbeContext,
    *,
    deadline_s: float | None = None,
    tell: Tell = tell_nobody,
    clock: ProbeClock | None = None,
    takes: Callable[[Task], bool] = everything,
) -> tuple[ProbeResult, ...]:
    """Call every probe at once; the results in the probes' order.

    A probe that has not answered at its deadline becomes an ERROR. Its thread is left to end by itself: it
    can change nothing any more but to remove its own canary.

    Args:
        takes: whether a task is to be done.
    """
    clock = clock or ProbeClock()
    under_way = tuple(task for task in tasks(probes, live, deadline_s) if takes(task))
    answers: SimpleQueue[tuple[int, ProbeResult]] = SimpleQueue()
    began = clock.now()
    ends = {position: began + task.within_s for position, task in enumerate(under_way)}

    def work(position: int, task: Task) -> None:
        started = clock.now()
        verdicts = task.ask(live, clock, partial(ends.__setitem__, position))
        answers.put((position, ProbeResult(task.probe.rule, task.where, verdicts, clock.now() - started)))

    for position, task in enumerate(under_way):
        Thread(target=work, args=(position, task), name=task.probe.rule.id, daemon=True).start()
    results: dict[int, ProbeResult] = {}
    for position, result in _collect(answers, under_way, began, ends, clock):
        results[position] = result
        tell(result)
    return tuple(results[position] for position in range(len(under_way)))


def _collect(
    answers: "SimpleQueue[tuple[int, ProbeResult]]",
    under_way: Sequence[Task],
    began: float,
    ends: Mapping[int, float],
    clock: ProbeClock,
) -> Iterator[tuple[int, ProbeResult]]:
    """Each task's result once: its answer, or that its deadline has passed."""
    waiting = dict(enumerate(under_way))
    while waiting:
        next_end = min(ends[position] for position in waiting)
        try:
            position, result = answers.get(timeout=max(0.0, next_end - clock.now()))
        except Empty:
            now = clock.now()
            elapsed = now - began
            for position, task in tuple(waiting.items()):
                if ends[position] <= now:
                    del waiting[position]
                    waited = f"no answer within {ends[position] - began:g} s"
                    said = Verdict.error(waited, remedy=AGAIN)
                    yield position, ProbeResult(task.probe.rule, task.where, (said,), elapsed)
            continue
        if waiting.pop(position, None) is not None:
            yield position, result
