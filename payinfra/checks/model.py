"""What a check is, and what it says: the shapes shared by policy checks, source checks and live probes.

How to write a check (the module belongs to `payinfra.checks.policy` and is named in that package's
`MODULES`, a tuple of module names in the order of the catalogue):

    @check(id="PI-S3-001", title="Buckets block public access", severity=Severity.CRITICAL,
           on="aws_s3_bucket", risk="Audit records become readable to anyone.",
           fix="Add all four public access blocks.",
           controls=("AWS FSBP S3.8",))
    def bucket_blocks_public_access(bucket: Resource, manifest: Manifest) -> Verdict: ...

    @check(id="PI-REG-001", title="Both regions have a provider", severity=Severity.CRITICAL,
           risk="...", fix="...")
    def both_regions_have_a_provider(manifest: Manifest) -> Iterator[Verdict]: ...

- With `on`, the function is called once for each resource of that type (or of any of those types) and its
  verdicts get that resource's address where they name none. No such resource: the runner records
  NOT_APPLICABLE, the function is not called.
- Without `on`, it is called once for the whole manifest.
- Either may return one Verdict or an iterable of them, of at least one: nothing at all becomes an ERROR,
  because a check that says nothing has not judged.
- A function that raises becomes an ERROR finding with the check's own id. Whenever that happens the runner
  adds an ERROR to PI-ENG-001 as well ("every check ran"), if the selection has that id; the check itself
  is the catalogue's.
- `needs` names an importable package that the check cannot do without (an optional extra). Where it is not
  installed the check is skipped, and the summary says so with the reason.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol, overload

from payinfra.checks.manifest import Manifest, Resource
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict, Verdicts

__all__ = [
    "ENGINE_ID",
    "Check",
    "Kind",
    "ManifestCheck",
    "ResourceCheck",
    "Rule",
    "Severity",
    "Verdict",
    "Verdicts",
    "check",
    "checks_in",
    "gather",
]

ENGINE_ID = "PI-ENG-001"

JudgeResource = Callable[[Resource, Manifest], Verdicts]
JudgeManifest = Callable[[Manifest], Verdicts]


@dataclass(frozen=True)
class ResourceCheck:
    """A check of every resource of the types in `on`; call it as the function it was made from."""

    rule: Rule
    on: tuple[str, ...]
    judge: JudgeResource
    module: str
    needs: str = ""

    def __call__(self, resource: Resource, manifest: Manifest) -> Verdicts:
        """Judge one resource."""
        return self.judge(resource, manifest)


@dataclass(frozen=True)
class ManifestCheck:
    """A check of the whole manifest; call it as the function it was made from."""

    rule: Rule
    judge: JudgeManifest
    module: str
    needs: str = ""

    def __call__(self, manifest: Manifest) -> Verdicts:
        """Judge the manifest."""
        return self.judge(manifest)


Check = ResourceCheck | ManifestCheck


class _OnResources(Protocol):
    def __call__(self, judge: JudgeResource, /) -> ResourceCheck: ...


class _OnManifest(Protocol):
    def __call__(self, judge: JudgeManifest, /) -> ManifestCheck: ...


@overload
def check(
    *,
    id: str,
    title: str,
    severity: Severity,
    risk: str,
    fix: str,
    on: str | tuple[str, ...],
    controls: tuple[str, ...] = (),
    needs: str = "",
) -> _OnResources: ...


@overload
def check(
    *,
    id: str,
    title: str,
    severity: Severity,
    risk: str,
    fix: str,
    on: None = None,
    controls: tuple[str, ...] = (),
    needs: str = "",
) -> _OnManifest: ...


def check(
    *,
    id: str,
    title: str,
    severity: Severity,
    risk: str,
    fix: str,
    on: str | tuple[str, ...] | None = None,
    controls: tuple[str, ...] = (),
    needs: str = "",
) -> _OnResources | _OnManifest:
    """Make a check out of a pure function. Nothing is registered anywhere: `checks_in` finds it.

    Raises:
        ValueError: the id is malformed or a text is empty (see `Rule`).
    """
    rule = Rule(id, title, severity, risk, fix, controls)
    if on is None:
        return lambda judge, /: ManifestCheck(rule, judge, judge.__module__, needs)
    types = (on,) if isinstance(on, str) else on
    return lambda judge, /: ResourceCheck(rule, types, judge, judge.__module__, needs)


def checks_in(module: ModuleType) -> tuple[Check, ...]:
    """The checks that a module defines, in the order of their definition (imported ones left out)."""
    return tuple(
        value
        for value in vars(module).values()
        if isinstance(value, ResourceCheck | ManifestCheck) and value.module == module.__name__
    )


def gather(modules: Iterable[ModuleType]) -> tuple[Check, ...]:
    """All checks of several modules.

    Raises:
        ValueError: an id is used twice.
    """
    found: dict[str, Check] = {}
    for module in modules:
        for one in checks_in(module):
            if one.rule.id in found:
                raise ValueError(f"{one.rule.id} is in {found[one.rule.id].module} and in {one.module}")
            found[one.rule.id] = one
    return tuple(found.values())
