"""The page of a drill in a real browser, wide and narrow, light and dark, with no network."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from payinfra.drill.model import Mark
from payinfra.report.drill import html
from tests.unit.report.drill.conftest import ALL

WIDTHS = {1280: "wide", 760: "medium", 375: "narrow"}
Scheme = Literal["light", "dark"]

OVERLAPPING = """() => {
    const shown = [...document.querySelectorAll('svg')].filter(svg => svg.getClientRects().length);
    const found = [];
    for (const svg of shown) {
        const texts = [...svg.querySelectorAll('text')]
            .map(text => [text.textContent, text.getBoundingClientRect()]);
        const box = svg.getBoundingClientRect();
        texts.forEach(([name, one], at) => {
            if (one.left < box.left - 1 || one.right > box.right + 1 || one.top < box.top - 1
                || one.bottom > box.bottom + 1) found.push(name + ' is cut off');
            for (const [other, two] of texts.slice(at + 1))
                if (Math.min(one.right, two.right) - Math.max(one.left, two.left) > 1
                    && Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top) > 2)
                    found.push(name + ' / ' + other);
        });
    }
    return found;
}"""
BROKEN = """() => [...document.querySelectorAll('td, th, .card span')].flatMap(cell => {
    const text = cell.firstChild;
    if (!text || !cell.getClientRects().length) return [];
    return [...text.data.matchAll(/[^\\s-]{2,}/g)].filter(word => {
        const range = document.createRange();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        return range.getClientRects().length > 1;
    }).map(word => word[0]);
})"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll('svg text')]
    .filter(text => text.getClientRects().length)
    .map(text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a))"""
SHOWN = """name => [...document.querySelectorAll(`svg .${name} :is(path, use)`)]
    .filter(shape => shape.getClientRects().length && !shape.closest('defs'))"""
AREAS = f"""name => ({SHOWN})(name).map(shape => shape.getBoundingClientRect())
    .filter(box => box.width > 0 && box.height > 0).length"""
COLOUR = f"name => getComputedStyle(({SHOWN})(name)[0]).fill"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Opened:
    """A page that is open, and everything that the browser said about it and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each sample."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}
    for kind, report in ALL.items():
        made[kind] = folder / f"{kind}.html"
        made[kind].write_text(html.render(report), encoding="utf-8")
    return made


@pytest.fixture
def opened(request: pytest.FixtureRequest, browser: Browser, files: dict[str, Path]) -> Iterator[Opened]:
    """A page, by its kind, the window's width and the reader's scheme."""
    kind, width, scheme = request.param
    with browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    ) as context:
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("request", lambda asked: found.asked.append(asked.url))
        found.page.goto(files[kind].as_uri())
        yield found


def pages(
    *kinds: str, widths: tuple[int, ...] = tuple(WIDTHS), scheme: Scheme = "light"
) -> pytest.MarkDecorator:
    """Gives a test one page after the other."""
    several = [(kind, width, scheme) for kind in kinds for width in widths]
    names = [f"{kind}-{width}-{scheme}" for kind, width, scheme in several]
    return pytest.mark.parametrize("opened", several, ids=names, indirect=True)


@pages(*ALL)
def test_every_text_can_be_read_at_every_width(opened: Opened) -> None:
    page = opened.page
    assert page.evaluate(OVERLAPPING) == []
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(SMALLEST) >= 9.5
    assert page.evaluate(TOO_WIDE) <= 0


@pages(*ALL, widths=(1280,))
def test_the_browser_has_nothing_to_complain_about_and_asks_for_nothing_else(opened: Opened) -> None:
    assert opened.said == []
    assert opened.asked == [opened.page.url]


@pages("perfect")
def test_what_is_drawn_is_there_and_seen(opened: Opened) -> None:
    page, report = opened.page, ALL["perfect"]
    viewport = page.viewport_size
    assert viewport is not None
    shown = [svg for svg in page.locator("svg").all() if svg.is_visible()]
    assert [svg.get_attribute("class") for svg in shown] == [f"for-{WIDTHS[viewport['width']]}"] * 2
    for drawn in ("attempts-lost", "attempts-other", "attempts-bad", "latency-p50", "latency-p95"):
        assert page.evaluate(AREAS, drawn) == 1
    assert page.evaluate(AREAS, "phase") == len(report.phases)
    assert page.evaluate(AREAS, "predicted") == sum(one.predicted_s is not None for one in report.phases)
    assert page.evaluate(AREAS, "mark") == 5
    assert page.evaluate(AREAS, "answer") == 3
    names = [name.text_content() for name in page.locator("svg .phase-name").all() if name.is_visible()]
    assert [name.strip() for name in names if name] == [one.phase.value for one in report.phases]


def colours(browser: Browser, file: Path, scheme: Scheme) -> dict[str, str]:
    """What stands on what, as the browser has computed it."""
    with browser.new_context(offline=True, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(file.as_uri())
        found = {name: str(page.evaluate(COLOUR, name)) for name in ("attempts-lost", "attempts-other")}
        body = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return found | {"page": str(body)}


def test_the_drawing_is_light_or_dark_as_the_page_is(browser: Browser, files: dict[str, Path]) -> None:
    light, dark = (colours(browser, files["perfect"], scheme) for scheme in ("light", "dark"))
    assert light["page"] == "rgb(255, 255, 255)"
    assert all(light[name] != dark[name] for name in light)
    assert len(set(light.values())) == len(set(dark.values())) == 3


@pages("perfect", widths=(1280,))
def test_a_pointer_finds_the_second_that_it_rests_on(opened: Opened) -> None:
    hint = opened.page.locator("svg.for-wide .hint").nth(100)
    before = hint.evaluate("element => getComputedStyle(element).fillOpacity")
    hint.hover()
    assert before == "1"
    assert hint.evaluate("element => getComputedStyle(element).fillOpacity") == "0.1"
    assert "us-west-2: 9" in (hint.locator("title").text_content() or "")


def test_a_text_that_would_be_a_program_is_a_text(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    report = replace(ALL["perfect"], env=evil, lost_region=evil, marks=(Mark(1.0, evil),), reasons=(evil,))
    file = tmp_path / "evil.html"
    file.write_text(html.render(report), encoding="utf-8")
    with browser.new_context(offline=True) as context:
        opened = Opened(context.new_page())
        opened.page.on("dialog", lambda dialog: opened.said.append(dialog.message))
        opened.page.on("request", lambda asked: opened.asked.append(asked.url))
        opened.page.goto(file.as_uri())
        assert opened.page.title().startswith(f"Failover drill of {evil}")
        assert opened.page.locator("script, img").count() == 0
    assert opened.said == []
    assert opened.asked == [file.as_uri()]
