"""Runs checks and records what they say, whatever they do: a check that crashes becomes a finding."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import PurePath
from traceback import extract_tb
from types import TracebackType
from typing import Self

from payinfra.checks.manifest import Manifest
from payinfra.checks.manifest.values import shorten
from payinfra.checks.model import ENGINE_ID, Check, ResourceCheck
from payinfra.checks.outcome import Finding, RuleResult, SkippedCheck
from payinfra.checks.verdicts import Kind, Rule, Verdict, Verdicts
from payinfra.core.errors import EnvironmentUnusable

_QUIET = frozenset({Kind.PASS, Kind.NOT_APPLICABLE})


@dataclass(frozen=True)
class Judged:
    """What one rule said.

    Attributes:
        result: its counts.
        findings: its verdicts other than PASS and NOT_APPLICABLE.
        crashed: whether it raised, at least once.
    """

    result: RuleResult
    findings: tuple[Finding, ...]
    crashed: bool = False


@dataclass(frozen=True)
class JudgedAt:
    """Where a judge looks.

    Attributes:
        file: the file, as given; empty for a live environment.
        address: what a verdict without an address speaks of.
        construct_of: the construct path of an address; empty where it has none.
    """

    file: str = ""
    address: str = ""
    construct_of: Callable[[str], str] = lambda _address: ""


@dataclass
class VerdictRecorder:
    """Collects the verdicts of one rule over everything that it is asked about."""

    rule: Rule
    crashed: bool = False
    message: str = ""
    _counts: dict[Kind, int] = field(default_factory=dict)
    _findings: list[Finding] = field(default_factory=list)

    def ask(self, judge: Callable[[], Verdicts], site: JudgedAt) -> None:
        """Call the judge and record what it says, or that it said nothing, or that it raised."""
        before = sum(self._counts.values())
        with _Crash() as crash:
            said = judge()
            for verdict in (said,) if isinstance(said, Verdict) else said:
                # A judge is somebody's code: what it gives is looked at before it is believed.
                self.add(verdict if isinstance(verdict, Verdict) else _no_verdict(verdict), site)
        if crash.story:
            self.crashed = True
            self.add(Verdict.error(f"the check raised {crash.story}"), site)
        elif sum(self._counts.values()) == before:
            self.add(Verdict.error("the check gave no verdict"), site)

    def add(self, verdict: Verdict, site: JudgedAt) -> None:
        """Record one verdict."""
        self._counts[verdict.kind] = self._counts.get(verdict.kind, 0) + 1
        if verdict.kind is Kind.PASS:
            self.message = verdict.message or self.message
        if verdict.kind in _QUIET:
            return
        address = verdict.address or site.address or verdict.file
        self._findings.append(
            Finding(
                id=self.rule.id,
                verdict=verdict.kind,
                severity=self.rule.severity,
                title=self.rule.title,
                address=address,
                message=verdict.message,
                fix=self.rule.fix,
                risk=self.rule.risk,
                controls=self.rule.controls,
                construct=site.construct_of(address),
                file=verdict.file or site.file,
                line=verdict.line,
            )
        )

    def close(self) -> Judged:
        """Everything that was recorded."""
        result = RuleResult(self.rule, dict(self._counts), self.message)
        return Judged(result, tuple(self._findings), self.crashed)


def run(checks: Sequence[Check], manifests: Iterable[Manifest]) -> tuple[Judged, ...]:
    """Run every check over every manifest; each manifest is let go before the next is asked for.

    Raises:
        EnvironmentUnusable: a manifest has no resources, so that a pass would mean nothing.
    """
    records = {one.rule.id: VerdictRecorder(one.rule) for one in checks}
    for manifest in manifests:
        if not manifest.resources:
            raise EnvironmentUnusable(
                f"{manifest.file} has no resources: there is nothing to check.", "Synthesize the stack first."
            )
        for one in checks:
            _judge(one, manifest, records[one.rule.id])
    _say_who_crashed(records)
    return tuple(record.close() for record in records.values())


def without_missing(
    checks: Iterable[Check], is_installed: Callable[[str], bool] = lambda name: find_spec(name) is not None
) -> tuple[tuple[Check, ...], tuple[SkippedCheck, ...]]:
    """The checks that can run here, and those that need a package which is not installed."""
    able: list[Check] = []
    skipped: list[SkippedCheck] = []
    for one in checks:
        if one.needs and not is_installed(one.needs):
            skipped.append(
                SkippedCheck(one.rule.id, f"needs the package {one.needs}, which is not installed")
            )
        else:
            able.append(one)
    return tuple(able), tuple(skipped)


def _judge(one: Check, manifest: Manifest, record: VerdictRecorder) -> None:
    site = JudgedAt(manifest.file, construct_of=_construct_of(manifest))
    if not isinstance(one, ResourceCheck):
        record.ask(partial(one.judge, manifest), site)
        return
    resources = manifest.all(*one.on)
    for resource in resources:
        at = JudgedAt(site.file, resource.address, site.construct_of)
        record.ask(partial(one.judge, resource, manifest), at)
    if not resources:
        record.add(Verdict.not_applicable(), site)


def _say_who_crashed(records: Mapping[str, VerdictRecorder]) -> None:
    """PI-ENG-001 promises that every check ran."""
    crashed = [record.rule.id for record in records.values() if record.crashed]
    engine = records.get(ENGINE_ID)
    if crashed and engine is not None:
        message = f"not every check ran to its end: {', '.join(crashed)}"
        engine.add(Verdict.error(message), JudgedAt())


def _construct_of(manifest: Manifest) -> Callable[[str], str]:
    def find(address: str) -> str:
        resource = manifest.resource(address)
        return resource.construct if resource else ""

    return find


def _no_verdict(given: object) -> Verdict:
    return Verdict.error(f"the check gave a {type(given).__name__} where a verdict is due")


class _Crash:
    """Holds an exception back and remembers it. What ends the process (an interrupt) passes through."""

    story = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(problem, Exception):
            return False
        frames = extract_tb(trace)
        where = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        said = shorten(str(problem))
        self.story = f"{type(problem).__name__}{f': {said}' if said else ''}{where}"
        return True
