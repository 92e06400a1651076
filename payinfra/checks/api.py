"""One call from a request to an outcome: `run_checks`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from payinfra.checks import catalogue, waivers
from payinfra.checks.catalogue import Catalogue
from payinfra.checks.causes import one_per_cause
from payinfra.checks.locations import Locator
from payinfra.checks.manifest import EPHEMERAL, Given, Manifest, folders, reading
from payinfra.checks.manifest.configuration import Module
from payinfra.checks.manifest.rewriting import Tree
from payinfra.checks.outcome import Outcome, SkippedCheck, summarize, worst_first
from payinfra.checks.redaction import Redactor
from payinfra.checks.runner import Judged, JudgedAt, VerdictRecorder, run, without_missing
from payinfra.checks.selection import choose
from payinfra.checks.source.model import has_python, read_tree
from payinfra.core.errors import EnvironmentUnusable


@dataclass(frozen=True)
class ShownPlan:
    """A plan that was shown already: what a person calls it, and the decoded document."""

    name: str
    document: object


@dataclass(frozen=True)
class CheckRequest:
    """What to check, and how.

    Attributes:
        manifests: synthesized files and folders of them; all of one folder are one module, as for Terraform.
        plans: plans as `terraform show -json` prints them, each a stack of its own.
        source: a folder of the sources: its Python files are judged as well, and findings point into it; None
            to leave both out.
        configuration: the folder of Terraform files that the plans were made from; None to look for it in
            `source`, beside a plan, and in the current folder.
        variables: values for variables of the manifests, as on a command line.
        variable_files: files of such values, as `terraform.tfvars`.
        env, protected: what the manifests are for; None to read it from their tags.
        ephemeral: patterns of environments that are not protected, used where `protected` is None.
        select: ids or globs to run; empty for all.
        ignore: ids or globs to leave out; they are listed in the summary.
        waivers: the waivers file; None for `payinfra-waivers.toml` in the project's folder, if it is there.
        project: the project's folder.
        checkov: the checkov executable; None to leave it out.
    """

    manifests: tuple[Path, ...] = ()
    plans: tuple[Path | ShownPlan, ...] = ()
    configuration: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    variable_files: tuple[Path, ...] = ()
    source: Path | None = None
    env: str | None = None
    protected: bool | None = None
    ephemeral: tuple[str, ...] = EPHEMERAL
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    waivers: Path | None = None
    project: Path = Path()
    checkov: Path | None = None


def today() -> date:
    """The day by which waivers run out and runtimes end, in UTC."""
    return datetime.now(UTC).date()


@dataclass
class _Collected:
    judged: list[Judged] = field(default_factory=list)
    skipped: list[SkippedCheck] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    resources: int = 0


def run_checks(request: CheckRequest, *, on: date | None = None, known: Catalogue | None = None) -> Outcome:
    """Run the selected checks over everything that the request names.

    Args:
        request: what to check.
        on: the day by which waivers run out and runtimes end; None for today in UTC.
        known: the checks that there are; None for all of them.

    Raises:
        EnvironmentUnusable: nothing to check, an input that cannot be read or has no resources, or an
            unknown id in the selection.
    """
    checks = known or catalogue.load(request.project)
    selection = choose(checks.ids, request.select, request.ignore)
    if not request.manifests and not request.plans and request.source is None:
        raise EnvironmentUnusable("There is nothing to check.", "Give a plan, a manifest or a source folder.")
    day = on or today()
    entries = _waivers(request.waivers, request.project, checks, day)
    collected = _Collected()
    if request.manifests or request.plans:
        _check_manifests(request, checks, selection.ids, collected, day)
    if request.source is not None:
        _check_source(request.source, checks, selection.ids, collected)
    if not collected.judged:
        raise EnvironmentUnusable(
            "None of the selected checks can run on what was given.",
            "Source checks need --source, the others a manifest or a plan; some need an optional extra.",
        )
    results = tuple(one.result for one in collected.judged)
    applied = waivers.apply(
        (finding for one in collected.judged for finding in one.findings),
        entries,
        ran=frozenset(result.rule.id for result in results),
    )
    findings = one_per_cause(worst_first(applied.findings))
    return Outcome(
        tool="check",
        findings=findings,
        waived=applied.waived,
        rules=results,
        summary=summarize(
            results,
            applied.waived,
            resources=collected.resources,
            ignored=selection.ignored,
            skipped=tuple(collected.skipped),
            stopped=len(applied.findings) - len(findings),
        ),
        notes=(*collected.notes, *applied.notes),
        files=tuple(collected.files),
    )


def _check_manifests(
    request: CheckRequest, checks: Catalogue, ids: frozenset[str], collected: _Collected, day: date
) -> None:
    able, skipped = without_missing(one for one in checks.policy if one.rule.id in ids)
    collected.skipped += skipped
    collected.judged += run(able, _manifests(request, collected, day), _locator(request.source))
    if request.checkov is not None:
        # Only who asks for it waits for the import of subprocess.
        from payinfra.checks import checkov

        collected.judged.append(checkov.advise(request.checkov, collected.files))


def _manifests(request: CheckRequest, collected: _Collected, day: date) -> Iterator[Manifest]:
    """Each module and each plan, read when its turn comes."""
    for shown, paths in _modules(request.manifests).items():
        values = folders.values_in(paths[0].parent)
        for file in request.variable_files:
            values |= folders.values_of(file)
        manifest = Manifest.load(
            *paths,
            env=request.env,
            protected=request.protected,
            ephemeral=request.ephemeral,
            given=Given(values, request.variables),
            shown=shown,
            day=day,
        )
        collected.resources += len(manifest.resources)
        collected.files += manifest.files
        yield manifest
    for plan in request.plans:
        tree = _configuration(request, plan)
        manifest = Manifest.of_plan(
            plan.document if isinstance(plan, ShownPlan) else reading.read_plan(plan),
            name=plan.name if isinstance(plan, ShownPlan) else str(plan),
            folder=_folder_of(tree, plan),
            source=tree,
            env=request.env,
            protected=request.protected,
            ephemeral=request.ephemeral,
            day=day,
        )
        if tree is not None and not manifest.has_source and request.configuration is not None:
            collected.notes.append(f"{tree.root.folder} is not what {manifest.file} was made from: not used")
        collected.resources += len(manifest.resources)
        collected.files += manifest.files
        yield manifest


def _locator(source: Path | None) -> Locator:
    """Look through the Python of a source folder, if there is any."""
    if source is None or not source.is_dir() or not has_python(source):
        return Locator()
    return Locator(read_tree(source).files)


def _modules(paths: Iterable[Path]) -> Mapping[str, tuple[Path, ...]]:
    """The files of each module, by what a person calls it: those of one folder are one, each taken once.

    Raises:
        EnvironmentUnusable: a folder has no Terraform file.
    """
    found: dict[Path, dict[Path, str]] = {}
    for path in paths:
        files = folders.files_in(path) if path.is_dir() else (path,)
        if not files:
            raise EnvironmentUnusable(f"{path} has no file of Terraform's.", "Give a synthesized folder.")
        module = found.setdefault(files[0].parent.resolve(), {})
        module |= dict.fromkeys(files, str(path))
    return {next(iter(module.values())): tuple(module) for module in found.values()}


def _check_source(root: Path, checks: Catalogue, ids: frozenset[str], collected: _Collected) -> None:
    chosen = [one for one in checks.source if one.rule.id in ids]
    # A folder of Terraform's files alone is a source as well: findings point into it.
    if not chosen or (collected.judged and not has_python(root) and _has_terraform(root)):
        return
    tree = read_tree(root)
    for one in chosen:
        record = VerdictRecorder(one.rule)
        record.ask(partial(one.judge, tree), JudgedAt(root.as_posix(), clean=Redactor().clean))
        collected.judged.append(record.close())
    collected.files.append(root.as_posix())


def _has_terraform(root: Path) -> bool:
    return root.is_dir() and bool(folders.files_in(root))


def _folder_of(tree: Tree | None, plan: Path | ShownPlan) -> Path:
    """Where relative paths in a plan's configuration start from."""
    if tree is not None:
        return tree.root.folder
    return plan.parent if isinstance(plan, Path) else Path()


def _configuration(request: CheckRequest, plan: Path | ShownPlan) -> Tree | None:
    """What a plan was made from: as given, else in the sources, beside the plan, or in the current folder."""
    if request.configuration is not None:
        module = folders.module_of(request.configuration)
        return Tree(module) if module is not None else None
    beside = plan.parent if isinstance(plan, Path) else None
    for folder in (request.source, beside, Path()):
        module = _readable(folder) if folder is not None else None
        if module is not None:
            return Tree(module)
    return None


def _readable(folder: Path) -> Module | None:
    try:
        return folders.module_of(folder)
    except EnvironmentUnusable:
        return None


def _waivers(path: Path | None, project: Path, checks: Catalogue, day: date) -> tuple[waivers.Waiver, ...]:
    file = path or project / waivers.FILE_NAME
    if path is None and not file.is_file():
        return ()
    return waivers.load(file, checks.ids, day)
