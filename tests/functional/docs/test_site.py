"""The documentation builds without a warning, needs no network to be read, and a broken link is noticed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
FOREIGN = re.compile(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//', re.IGNORECASE)


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What `make site` does."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", source, out],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(DOCS, out)
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_on_the_site(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert pages <= {path.relative_to(site) for path in site.rglob("*.html")}
    assert (site / "_static" / "architecture.svg").exists() or list(site.rglob("architecture.svg"))


def test_reading_it_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert not FOREIGN.search(page.read_text(encoding="utf-8")), page
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_link_of_a_page_beside_the_site_leads_to_a_file(name: str) -> None:
    root = DOCS.parent
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (root / name).read_text(encoding="utf-8"))
    assert {link for link in links if "://" not in link and not (root / link).exists()} == set()


@pytest.mark.parametrize("link", ["[x](nowhere.md)", "[x](page.md#nowhere)", "![x](assets/nowhere.svg)"])
def test_a_broken_link_fails_the_build(tmp_path: Path, link: str) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    for name in ("conf.py", "openapi.json"):
        shutil.copy(DOCS / name, source / name)
    (source / "page.md").write_text("# page\n\n## One screen\n\nx\n")
    (source / "assets").mkdir()
    (source / "index.md").write_text("# x\n\n```{toctree}\npage\n```\n\n[good](page.md#one-screen)\n")
    assert build(source, tmp_path / "good").returncode == 0
    (source / "index.md").write_text(f"# x\n\n```{{toctree}}\npage\n```\n\n{link}\n")
    assert build(source, tmp_path / "bad").returncode != 0
