"""What a run of checks, or of probes, came to: the values that reporters draw and the gate reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from payinfra.checks.verdicts import Kind, Rule, Severity
from payinfra.core.errors import ExitCode

GATING = frozenset({Kind.UNKNOWN, Kind.ERROR})
"""Verdicts that fail the gate whatever their severity: not knowing is not passing."""

_WORST_FIRST = (Kind.ERROR, Kind.FAIL, Kind.UNKNOWN, Kind.WARN, Kind.PASS, Kind.NOT_APPLICABLE)


@dataclass(frozen=True)
class Stopped:
    """A judgement that another finding stands for, because the same cause keeps it from being made."""

    id: str
    address: str


@dataclass(frozen=True)
class Finding:
    """One thing that a person should look at: a verdict other than PASS and NOT_APPLICABLE.

    Attributes:
        id: the check's id; of another tool's finding, that tool's own.
        address: `aws_s3_bucket.audit`; a file for a source check; empty for a whole manifest.
        construct: the construct path of the resource, where the manifest has it.
        file: the file that was checked; empty for a live environment.
        line: in `file`, from 1; 0 where there is none.
        note: why a waiver that names this finding does not hold; empty otherwise.
        source_file: the source that made the resource, as a path from the root of its repository; empty where
            that is not known.
        source_line: in `source_file`, from 1; 0 where there is none.
        cause: of an UNKNOWN, the names whose values are not known.
        stopped: of an UNKNOWN, the other judgements that the same cause keeps from being made.
    """

    id: str
    verdict: Kind
    severity: Severity
    title: str
    address: str
    message: str
    fix: str
    risk: str
    controls: tuple[str, ...] = ()
    construct: str = ""
    file: str = ""
    line: int = 0
    note: str = ""
    source_file: str = ""
    source_line: int = 0
    cause: tuple[str, ...] = ()
    stopped: tuple[Stopped, ...] = ()

    @property
    def place(self) -> tuple[str, int]:
        """The file and line for a reader to look at: the source where it is known, else what was checked."""
        return (self.source_file, self.source_line) if self.source_file else (self.file, self.line)

    def fails(self, threshold: Severity) -> bool:
        """Whether the gate stops here: FAIL at or above the threshold, UNKNOWN and ERROR always."""
        return self.verdict in GATING or (self.verdict is Kind.FAIL and self.severity.at_least(threshold))


@dataclass(frozen=True)
class Waived:
    """A finding that somebody answers for, until the waiver's date."""

    finding: Finding
    reason: str
    owner: str
    expires: str


@dataclass(frozen=True)
class SkippedCheck:
    """A check that did not run, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class RuleResult:
    """What one rule came to over everything that it looked at.

    Attributes:
        counts: how often each verdict was given, waived findings included.
        message: what the last pass said; a probe puts there what it measured.
    """

    rule: Rule
    counts: Mapping[Kind, int]
    message: str = ""

    @property
    def verdict(self) -> Kind:
        """The worst verdict given."""
        return next(kind for kind in _WORST_FIRST if self.counts.get(kind, 0) or kind is _WORST_FIRST[-1])


@dataclass(frozen=True)
class Summary:
    """Counts for a glance.

    Attributes:
        counts: every verdict and how often it was given; waived findings are not in it, and of those that
            cannot be judged for one cause, one is.
        checks: how many rules ran.
        evaluated: how many judgements were really made: PASS, WARN and FAIL, waived ones included.
        waived: how many findings are waived.
        resources: how many resources the manifests have; 0 for a live environment.
        ignored: ids that the caller asked to leave out.
        skipped: rules that could not run.
    """

    counts: Mapping[Kind, int]
    checks: int
    evaluated: int
    waived: int
    resources: int = 0
    ignored: tuple[str, ...] = ()
    skipped: tuple[SkippedCheck, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        tool: `check` or `verify`.
        findings: worst first; see `worst_first`.
        notes: sentences for a person: waivers that do not hold or are not used.
        files: what was checked, as given.
    """

    tool: str
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...]
    rules: tuple[RuleResult, ...]
    summary: Summary
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def exit_code(self, fail_on: Severity) -> ExitCode:
        """0, or 1 where a finding fails the gate at that threshold."""
        return ExitCode.GATE_FAILED if self.failing(fail_on) else ExitCode.DONE

    def failing(self, fail_on: Severity) -> tuple[Finding, ...]:
        """The findings that fail the gate at that threshold."""
        return tuple(finding for finding in self.findings if finding.fails(fail_on))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity, then verdict, then id, file and address: the same order on every run."""
    return tuple(
        sorted(
            findings,
            key=lambda one: (
                # What was not judged may be anything: it stands with the failures of its severity.
                one.verdict is Kind.WARN,
                -one.severity.rank,
                _WORST_FIRST.index(one.verdict),
                one.id,
                one.file,
                one.address,
                one.line,
                one.message,
            ),
        )
    )


def summarize(
    rules: Iterable[RuleResult],
    waived: Iterable[Waived] = (),
    *,
    resources: int = 0,
    ignored: tuple[str, ...] = (),
    skipped: tuple[SkippedCheck, ...] = (),
    stopped: int = 0,
) -> Summary:
    """Add the rules' counts up, without the waived findings, and without those that others stand for."""
    counts = dict.fromkeys(Kind, 0)
    ran = tuple(rules)
    for result in ran:
        for kind, number in result.counts.items():
            counts[kind] += number
    evaluated = counts[Kind.PASS] + counts[Kind.WARN] + counts[Kind.FAIL]
    given_up = tuple(waived)
    for one in given_up:
        counts[one.finding.verdict] -= 1
    counts[Kind.UNKNOWN] -= stopped
    return Summary(counts, len(ran), evaluated, len(given_up), resources, ignored, skipped)
