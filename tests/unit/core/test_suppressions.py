"""Every comment that silences a checker names the one rule that it silences, and says why."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = ("bench", "handlers", "payinfra", "scripts", "tests")

# No pattern below matches its own line: each has a bracket where the comment has the letter.
_SILENCED = re.compile(r"#\s*(?:[n]oqa|[t]ype:\s*ignore|[p]ragma:|[m]ypy:|[r]uff:|[p]yright:|[n]osec)")
_FORMS = (
    re.compile(r"# [n]oqa: [A-Z]+\d+(?:, [A-Z]+\d+)*(?P<why> - \S.*)?$"),
    re.compile(r"# [t]ype: ignore\[[a-z-]+\](?P<why>  ?# \S.*)?$"),
    re.compile(r"# [p]ragma: no (?:cover|branch)(?P<why> - \S.*)?$"),
)


def unexplained(text: str) -> Iterator[str]:
    """The lines of a module that silence a checker without a reason, beside it or in a comment above."""
    for above, line in pairwise(("", *text.splitlines())):
        silenced = _SILENCED.search(line)
        if silenced is None:
            continue
        formed = next((form for each in _FORMS if (form := each.match(line, silenced.start()))), None)
        if formed is None or not (formed["why"] or above.lstrip().startswith("# ")):
            yield line.strip()


def test_every_silenced_check_has_its_reason() -> None:
    modules = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(modules) > 500
    found = {
        str(path.relative_to(ROOT)): lines
        for path in modules
        if path != Path(__file__) and (lines := list(unexplained(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "import a  # noqa: F401",
        "import a  # noqa",
        "import a  # noqa - it has to be here",
        "a = b  # type: ignore[arg-type]",
        "a = b  # type: ignore  # it is one",
        "a()  # pragma: no cover",
        "# mypy: ignore-errors",
        "# ruff: noqa",
    ],
)
def test_a_check_silenced_without_a_reason_is_found(line: str) -> None:
    assert list(unexplained(f"x = 1\n{line}\n")) == [line]


@pytest.mark.parametrize(
    "text",
    [
        "import a  # noqa: F401 - its import registers it",
        "import a  # noqa: F401, E402 - its import registers it",
        "a = b  # type: ignore[arg-type]  # JSON",
        "# It is pytest's own file.\na = b  # noqa: S314",
        "a()  # pragma: no branch - only a type checker goes the other way",
    ],
)
def test_a_reason_beside_or_above_is_enough(text: str) -> None:
    assert list(unexplained(text)) == []
