"""Runs checks and records what they say, whatever they do: a check that crashes becomes a finding."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path, PurePath
from traceback import extract_tb
from types import TracebackType
from typing import Self

from payinfra.checks.causes import Cause, cause_in
from payinfra.checks.locations import NOWHERE, Location, Locator, from_repository
from payinfra.checks.manifest import Manifest, Resource
from payinfra.checks.manifest.syntax import shown
from payinfra.checks.manifest.values import shorten
from payinfra.checks.model import ENGINE_ID, Check, ResourceCheck
from payinfra.checks.outcome import Finding, RuleResult, SkippedCheck
from payinfra.checks.redaction import Redactor
from payinfra.checks.verdicts import Kind, Rule, Verdict, Verdicts
from payinfra.core.errors import EnvironmentUnusable

_QUIET = frozenset({Kind.PASS, Kind.NOT_APPLICABLE})
_MOST_ERROR = 240
_MEND_THE_CHECK = "Mend the check where it is your own; where it is payinfra's, report it with this message."
_MOST_WORLDS = 4


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
        clean: takes secrets out of what is said.
        cause_in: what keeps something from being judged, by what is said of it.
        source_of: where the resource of an address is made.
    """

    file: str = ""
    address: str = ""
    construct_of: Callable[[str], str] = lambda _address: ""
    clean: Callable[[str], str] = lambda text: text
    cause_in: Callable[[str], Cause | None] = lambda _message: None
    source_of: Callable[[str], Location] = lambda _address: NOWHERE


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
        self.hear(said_by(judge), site)

    def hear(self, said: "Said", site: JudgedAt) -> None:
        """Record what a judge has said."""
        self.crashed = self.crashed or said.crashed
        for verdict in said.verdicts:
            self.add(verdict, site)

    def add(self, verdict: Verdict, site: JudgedAt) -> None:
        """Record one verdict."""
        self._counts[verdict.kind] = self._counts.get(verdict.kind, 0) + 1
        if verdict.kind is Kind.PASS and verdict.message:
            self.message = site.clean(verdict.message)
        if verdict.kind in _QUIET:
            return
        message = site.clean(verdict.message)
        if verdict.kind is Kind.ERROR:  # it may quote what somebody else's code said, at any length
            message = shorten(message, _MOST_ERROR)
        address = verdict.address or site.address
        cause = site.cause_in(verdict.message) if verdict.kind is Kind.UNKNOWN else None
        source = _source_file(site, verdict) if verdict.file else site.source_of(address)
        if not address:  # a file, as readers of the repository know it
            address = source.file if PurePath(verdict.file).is_absolute() else verdict.file
        self._findings.append(
            Finding(
                id=self.rule.id,
                verdict=verdict.kind,
                severity=self.rule.severity,
                title=self.rule.title,
                address=address,
                message=message,
                fix=(cause.remedy if cause else "") or verdict.remedy or self.rule.fix,
                risk=self.rule.risk,
                controls=self.rule.controls,
                construct=site.construct_of(address),
                file=verdict.file or site.file,
                line=verdict.line,
                source_file=source.file,
                source_line=source.line,
                cause=cause.names if cause else (),
            )
        )

    def close(self) -> Judged:
        """Everything that was recorded."""
        result = RuleResult(self.rule, dict(self._counts), self.message)
        return Judged(result, tuple(self._findings), self.crashed)


@dataclass(frozen=True)
class Said:
    """What a judge said, of at least one verdict; `crashed` where it raised."""

    verdicts: tuple[Verdict, ...]
    crashed: bool = False


def said_by(judge: Callable[[], Verdicts]) -> Said:
    """Call a judge: an ERROR where it says nothing, something else than verdicts, or raises."""
    verdicts: list[Verdict] = []
    with _Crash() as crash:
        said = judge()
        # A judge is somebody's code: what it gives is looked at before it is believed.
        verdicts.extend(
            one if isinstance(one, Verdict) else _no_verdict(one)
            for one in ((said,) if isinstance(said, Verdict) else said)
        )
    if crash.story:
        verdicts.append(Verdict.error(f"the check raised {crash.story}", remedy=_MEND_THE_CHECK))
    silence = Verdict.error("the check gave no verdict", remedy=_MEND_THE_CHECK)
    return Said(tuple(verdicts) or (silence,), bool(crash.story))


def run(
    checks: Sequence[Check], manifests: Iterable[Manifest], locator: Locator | None = None
) -> tuple[Judged, ...]:
    """Run every check over every manifest; each manifest is let go before the next is asked for.

    Args:
        checks: the checks.
        manifests: the manifests.
        locator: finds where resources are made.

    Raises:
        EnvironmentUnusable: a manifest has no resources, so that a pass would mean nothing.
    """
    records = {one.rule.id: VerdictRecorder(one.rule) for one in checks}
    for manifest in manifests:
        if not manifest.resources:
            raise EnvironmentUnusable(
                f"{manifest.file} has no resources: there is nothing to check.", "Synthesize the stack first."
            )
        bench = _JudgedStack(manifest, locator or Locator())
        for one in checks:
            _judge(one, bench, records[one.rule.id])
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


@dataclass(frozen=True)
class ReducedStack:
    """The stack as it is if a condition makes nothing."""

    condition: str
    manifest: Manifest


class _JudgedStack:
    """A stack with what is needed to judge it."""

    def __init__(self, manifest: Manifest, locator: Locator) -> None:
        self.manifest = manifest
        self._locator = locator
        # Each condition by itself, as far as that is affordable; the rest of them as one.
        conditions = manifest.conditions
        groups: list[tuple[str, ...]] = [(one,) for one in conditions[: _MOST_WORLDS - 1]]
        if rest := conditions[_MOST_WORLDS - 1 :]:
            groups.append(rest)
        self.worlds = tuple(ReducedStack(" ".join(group), manifest.without(*group)) for group in groups)

    @cached_property
    def _redactor(self) -> Redactor:
        return Redactor.of(self.manifest)

    def site(self, resource: Resource | None = None) -> JudgedAt:
        """Where a check of the whole stack, or of one resource, looks."""
        return JudgedAt(
            file=resource.manifest_file if resource else self.manifest.file,
            address=resource.address if resource else "",
            construct_of=self._construct_of,
            clean=lambda text: self._redactor.clean(text),
            cause_in=lambda message: cause_in(message, self.manifest),
            source_of=self._source_of,
        )

    def _source_of(self, address: str) -> Location:
        resource = self.manifest.resource(address)
        return self._locator.of(resource) if resource else NOWHERE

    def _construct_of(self, address: str) -> str:
        resource = self.manifest.resource(address)
        return resource.construct if resource else ""


def _judge(one: Check, bench: _JudgedStack, record: VerdictRecorder) -> None:
    manifest = bench.manifest
    if not isinstance(one, ResourceCheck):
        said = said_by(partial(one.judge, manifest))
        others = [(world, said_by(partial(one.judge, world.manifest))) for world in bench.worlds]
        record.hear(_in_all_worlds(said, others), bench.site())
        return
    resources = manifest.all(*one.on)
    for resource in resources:
        said = said_by(partial(one.judge, resource, manifest))
        others = [
            (world, said_by(partial(one.judge, same, world.manifest)))
            for world in bench.worlds
            if (same := world.manifest.resource(resource.address)) is not None
        ]
        record.hear(_in_all_worlds(said, others), bench.site(resource))
    if not resources:
        record.add(Verdict.not_applicable(), bench.site())


def _in_all_worlds(said: Said, others: Sequence[tuple[ReducedStack, Said]]) -> Said:
    """What is said of the whole stack; UNKNOWN where it would be otherwise without something conditional."""
    for world, other in others:
        if other.verdicts != said.verdicts:
            said = Said((*_compared(said, other, world),), said.crashed or other.crashed)
    return said


def _compared(said: Said, other: Said, world: ReducedStack) -> Iterator[Verdict]:
    here = {(one.address, one.file, one.line) for one in said.verdicts if one.kind is Kind.FAIL}
    there = {(one.address, one.file, one.line) for one in other.verdicts if one.kind is Kind.FAIL}
    decides = f"it depends on {shown(world.condition)}"
    problems: list[Verdict] = []
    for one in said.verdicts:
        where = (one.address, one.file, one.line)
        gone = one.address and world.manifest.resource(one.address) is None
        if one.kind is Kind.FAIL and where not in there and not gone:
            told = f"{decides}: with what that makes, {one.message}"
            problems.append(replace(one, kind=Kind.UNKNOWN, message=told))
        elif one.kind not in _QUIET:
            problems.append(one)
    for one in other.verdicts:
        where = (one.address, one.file, one.line)
        if one.kind is Kind.FAIL and where not in here:
            told = f"{decides}: without what that makes, {one.message}"
            problems.append(replace(one, kind=Kind.UNKNOWN, message=told))
    yield from problems or said.verdicts


def _say_who_crashed(records: Mapping[str, VerdictRecorder]) -> None:
    """PI-ENG-001 promises that every check ran."""
    crashed = [record.rule.id for record in records.values() if record.crashed]
    engine = records.get(ENGINE_ID)
    if crashed and engine is not None:
        message = f"not every check ran to its end: {', '.join(crashed)}"
        engine.add(Verdict.error(message), JudgedAt())


def _source_file(site: JudgedAt, verdict: Verdict) -> Location:
    """Where a verdict on a source file points to: files are named from the folder that was given."""
    below = Path(site.file) / verdict.file
    return Location(from_repository(below if below.exists() else Path(verdict.file)), verdict.line)


def _no_verdict(given: object) -> Verdict:
    said = f"the check gave a {type(given).__name__} where a verdict is due"
    return Verdict.error(said, remedy=_MEND_THE_CHECK)


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
        said = str(problem)
        self.story = f"{type(problem).__name__}{f': {said}' if said else ''}{where}"
        return True
