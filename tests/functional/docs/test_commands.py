"""Whatever the pages tell a person to type exists."""

from pathlib import Path

import pytest

from tests.support.commands import in_markdown, unknown

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [(page, words) for page in PAGES if page.name != "cli.md" for words in in_markdown(page.read_text())]


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 30


@pytest.mark.parametrize(
    ("page", "words"), SHOWN, ids=[f"{page.name}: {' '.join(words)}" for page, words in SHOWN]
)
def test_every_command_shown_exists(page: Path, words: list[str]) -> None:
    assert unknown([word for word in words if "…" not in word]) == set(), page
