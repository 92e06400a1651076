"""One call from a request to an outcome: `run_checks`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from payinfra.checks import catalogue, waivers
from payinfra.checks.catalogue import Catalogue
from payinfra.checks.manifest import EPHEMERAL, Manifest
from payinfra.checks.outcome import Outcome, SkippedCheck, summarize, worst_first
from payinfra.checks.runner import Judged, JudgedAt, VerdictRecorder, run, without_missing
from payinfra.checks.selection import choose
from payinfra.checks.source.model import read_tree
from payinfra.core.errors import EnvironmentUnusable


@dataclass(frozen=True)
class CheckRequest:
    """What to check, and how.

    Attributes:
        manifests: synthesized files, each a stack of its own.
        source: a folder of Python files; None to leave the source checks out.
        env, protected: what the manifests are for; None to read it from their tags.
        ephemeral: patterns of environments that are not protected, used where `protected` is None.
        select: ids or globs to run; empty for all.
        ignore: ids or globs to leave out; they are listed in the summary.
        waivers: the waivers file; None for `payinfra-waivers.toml` in the current folder, if it is there.
        checkov: the checkov executable; None to leave it out.
    """

    manifests: tuple[Path, ...] = ()
    source: Path | None = None
    env: str | None = None
    protected: bool | None = None
    ephemeral: tuple[str, ...] = EPHEMERAL
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    waivers: Path | None = None
    checkov: Path | None = None


def today() -> date:
    """The day by which waivers run out, in UTC."""
    return datetime.now(UTC).date()


@dataclass
class _Collected:
    judged: list[Judged] = field(default_factory=list)
    skipped: list[SkippedCheck] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    resources: int = 0


def run_checks(request: CheckRequest, *, on: date | None = None, known: Catalogue | None = None) -> Outcome:
    """Run the selected checks over everything that the request names.

    Args:
        request: what to check.
        on: the day by which waivers run out; None for today in UTC.
        known: the checks that there are; None for all of them.

    Raises:
        EnvironmentUnusable: nothing to check, an input that cannot be read or has no resources, or an
            unknown id in the selection.
    """
    checks = known or catalogue.load()
    selection = choose(checks.ids, request.select, request.ignore)
    if not request.manifests and request.source is None:
        raise EnvironmentUnusable("There is nothing to check.", "Give a manifest or a source folder.")
    day = on or today()
    entries = _waivers(request.waivers, checks, day)
    collected = _Collected()
    if request.manifests:
        _check_manifests(request, checks, selection.ids, collected)
    if request.source is not None:
        _check_source(request.source, checks, selection.ids, collected)
    if not collected.judged:
        raise EnvironmentUnusable(
            "None of the selected checks can run on what was given.",
            "Source checks need --source, the others a manifest; some need an optional extra.",
        )
    results = tuple(one.result for one in collected.judged)
    applied = waivers.apply(
        (finding for one in collected.judged for finding in one.findings),
        entries,
        ran=frozenset(result.rule.id for result in results),
    )
    return Outcome(
        tool="check",
        findings=worst_first(applied.findings),
        waived=applied.waived,
        rules=results,
        summary=summarize(
            results,
            applied.waived,
            resources=collected.resources,
            ignored=selection.ignored,
            skipped=tuple(collected.skipped),
        ),
        notes=applied.notes,
        files=tuple(collected.files),
    )


def _check_manifests(
    request: CheckRequest, checks: Catalogue, ids: frozenset[str], collected: _Collected
) -> None:
    able, skipped = without_missing(one for one in checks.policy if one.rule.id in ids)
    collected.skipped += skipped
    collected.judged += run(able, _manifests(request, collected))
    if request.checkov is not None:
        # Only who asks for it waits for the import of subprocess.
        from payinfra.checks import checkov

        collected.judged.append(checkov.advise(request.checkov, collected.files))


def _manifests(request: CheckRequest, collected: _Collected) -> Iterator[Manifest]:
    """Each file, read when its turn comes."""
    for path in request.manifests:
        manifest = Manifest.load(
            path, env=request.env, protected=request.protected, ephemeral=request.ephemeral
        )
        collected.resources += len(manifest.resources)
        collected.files.append(manifest.file)
        yield manifest


def _check_source(root: Path, checks: Catalogue, ids: frozenset[str], collected: _Collected) -> None:
    chosen = [one for one in checks.source if one.rule.id in ids]
    if not chosen:
        return
    tree = read_tree(root)
    for one in chosen:
        record = VerdictRecorder(one.rule)
        record.ask(partial(one.judge, tree), JudgedAt(root.as_posix()))
        collected.judged.append(record.close())
    collected.files.append(root.as_posix())


def _waivers(path: Path | None, checks: Catalogue, day: date) -> tuple[waivers.Waiver, ...]:
    file = path or Path(waivers.FILE_NAME)
    if path is None and not file.is_file():
        return ()
    return waivers.load(file, checks.ids, day)
