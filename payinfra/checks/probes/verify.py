"""Runs the probes of an environment: chosen, with the real surroundings, to an outcome."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

from payinfra.checks import probes
from payinfra.checks.outcome import Outcome
from payinfra.checks.plugins import found_in
from payinfra.checks.probes import canaries
from payinfra.checks.probes.model import PairProbe, Probe, ProbeContext, RegionProbe
from payinfra.checks.probes.outage import ProbedRegions, concluded
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.probes.runner import run, tasks
from payinfra.checks.selection import PROBES, choose
from payinfra.clients.aws import Aws
from payinfra.clients.dns import DnspythonDns
from payinfra.clients.http import HttpxHttp, RealTls, embedded_certificate_end, make_client
from payinfra.clients.reachability import Reachability
from payinfra.core.outputs import Outputs

CONNECT_S = 3.0
READ_S = 5.0
ATTEMPTS = 2
FIRST_LOOK_S = 3.0
SECOND_LOOK_S = 6.0
"""How long a region may take to say anything at all, and how long once more where it said nothing."""


def load(project: Path | None = None) -> tuple[Probe, ...]:
    """Every probe there is, in the order of the documentation, then those that a company has added.

    Args:
        project: the folder of payinfra.toml, for the company's own; None for payinfra's.

    Raises:
        ValueError: an id is used twice: a bug.
        UsageProblem: a probe of the company's own cannot be taken.
    """
    ours = assemble(probes.MODULES)
    if project is None:
        return ours
    return (*ours, *(one for one in found_in(project) if isinstance(one, RegionProbe | PairProbe)))


def assemble(modules: Iterable[str]) -> tuple[Probe, ...]:
    """The probes of the named modules. Raises as `load` does."""
    found = tuple(
        value
        for name in modules
        for value in vars(import_module(f"{probes.__name__}.{name}")).values()
        if isinstance(value, RegionProbe | PairProbe)
    )
    ids = [probe.rule.id for probe in found]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} used twice")
    return found


@contextmanager
def around(outputs: Outputs, aws: Aws) -> Iterator[ProbeContext]:
    """The real surroundings of an environment, for one run: what it sends carries an id of its own.

    Raises:
        EnvironmentUnusable: the outputs are of another version.
    """
    here = aws.endpoints
    with make_client(endpoints=here) as client:
        yield ProbeContext(
            aws=aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=ATTEMPTS),
            outputs=outputs,
            declared=outputs.declared,
            http=HttpxHttp(client),
            dns=DnspythonDns(here.dns if here else ""),
            tls=RealTls() if here is None else RealTls(handshake=partial(embedded_certificate_end, here)),
            run=canaries.new_run(),
            began=datetime.now(UTC),
        )


def chosen_probes(request: VerifyRequest) -> tuple[tuple[Probe, ...], tuple[str, ...]]:
    """The probes that a request asks for, and the ids that it leaves out.

    Raises:
        UsageProblem: an id fits no probe.
        EnvironmentUnusable: nothing is left to probe.
    """
    known = load(request.project)
    chosen = choose([probe.rule.id for probe in known], request.only, request.skip, of=PROBES)
    return tuple(probe for probe in known if probe.rule.id in chosen.ids), chosen.ignored


def verify(outputs: Outputs, aws: Aws, request: VerifyRequest) -> Outcome:
    """Probe the environment that gave these outputs.

    Raises:
        UsageProblem: an id fits no probe.
        EnvironmentUnusable: nothing is left to probe, or the outputs are of another version.
    """
    chosen, ignored = chosen_probes(request)
    with around(outputs, aws) as live:
        scope = _scope(live, request)
        try:
            results = run(
                chosen,
                live,
                deadline_s=scope.deadline_s(request.deadline_s),
                tell=request.tell,
                takes=lambda task: scope.is_asked_for(task) and scope.is_possible(task),
            )
        finally:  # somebody who interrupts it leaves no canary either
            canaries.remove_left_over(live, without=scope.silent)
    return concluded(results, ignored, scope, tasks(chosen, live))


def _scope(live: ProbeContext, request: VerifyRequest) -> ProbedRegions:
    """What can be looked at. A region that seems to be gone is asked once more before that is believed."""
    regions = tuple(site.region for site in live.sites)
    wanted = tuple(region for region in regions if region in (request.regions or regions))
    asked = tuple(region for region in regions if region not in request.gone)
    silent = (*request.gone, *Reachability(live.aws, FIRST_LOOK_S).silent(asked))
    doubted = tuple(region for region in silent if region in wanted and region in asked)
    if doubted:
        still = Reachability(live.aws, SECOND_LOOK_S).silent(doubted)
        silent = tuple(region for region in silent if region not in doubted or region in still)
    return ProbedRegions(regions, wanted, silent)
