"""Every check that there is. Loading it imports the policy modules, and nothing else does."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from payinfra.checks import policy, source
from payinfra.checks.model import Check, ManifestCheck, ResourceCheck, gather
from payinfra.checks.plugins import found_in
from payinfra.checks.source.model import SourceCheck
from payinfra.checks.verdicts import Rule
from payinfra.core.errors import UsageProblem, did_you_mean


@dataclass(frozen=True)
class Catalogue:
    """The checks of manifests and the checks of source files, each in the order of the documentation."""

    policy: tuple[Check, ...]
    source: tuple[SourceCheck, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What `checks list` shows."""
        return tuple(one.rule for one in (*self.policy, *self.source))

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id, in order."""
        return tuple(rule.id for rule in self.rules)

    def rule(self, id: str) -> Rule:
        """What `checks explain` shows.

        Raises:
            UsageProblem: there is no such check.
        """
        for rule in self.rules:
            if rule.id == id.upper():
                return rule
        raise UsageProblem(
            f"There is no check {id!r}{did_you_mean(id.upper(), self.ids) or '.'}",
            "`payinfra checks list` shows them all.",
        )

    def types_of(self, id: str) -> tuple[str, ...]:
        """The resource types that a check is called for; empty for one of a whole manifest or of files."""
        return next((getattr(one, "on", ()) for one in self.policy if one.rule.id == id), ())


def load(project: Path | None = None) -> Catalogue:
    """The whole catalogue.

    Args:
        project: the folder of payinfra.toml, for the checks that a company has added; None for ours only.

    Raises:
        ValueError: an id is used twice: a bug.
        UsageProblem: a check of the company's own cannot be taken.
    """
    ours = assemble(policy.MODULES, source.MODULES)
    if project is None:
        return ours
    own = (one for one in found_in(project) if isinstance(one, ResourceCheck | ManifestCheck))
    return Catalogue((*ours.policy, *own), ours.source)


def assemble(policy_modules: Iterable[str], source_modules: Iterable[str]) -> Catalogue:
    """A catalogue of the named modules. Raises as `load` does."""
    checks = gather(import_module(f"{policy.__name__}.{name}") for name in policy_modules)
    sources: list[SourceCheck] = []
    for name in source_modules:
        module = import_module(f"{source.__name__}.{name}")
        sources += [value for value in vars(module).values() if isinstance(value, SourceCheck)]
    ids = [one.rule.id for one in checks] + [one.rule.id for one in sources]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} used twice")
    return Catalogue(checks, tuple(sources))
