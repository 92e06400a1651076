"""The page of a drill, as text: it needs nothing else, and nothing in it is taken for markup."""

import re
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser

import pytest

from payinfra.drill.model import DrillReport, Mark, Phase, PhaseTiming, Reconciliation, Restoration
from payinfra.report.drill import html
from payinfra.report.drill.canvas import SIZES, Ink
from payinfra.report.drill.style import STYLE
from tests.unit.report.drill.conftest import ALL

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)> $\\alpha$ \"'&amp;]]>\u202e"


@dataclass
class Page(HTMLParser):
    """What a reader of HTML sees in a page."""

    source: str
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, name: str) -> list[str]:
        """The values of an attribute, wherever it is."""
        return [value for _, attribute, value in self.attributes if attribute == name]


@cache
def drawn(kind: str) -> Page:
    """The page of a sample; drawn once."""
    return Page(html.render(ALL[kind]))


@pytest.fixture(params=sorted(ALL))
def page(request: pytest.FixtureRequest) -> Page:
    """Each of them."""
    return drawn(str(request.param))


class TestByItself:
    """It opens from a file, on a machine without a network, and runs nothing."""

    def test_it_runs_nothing_and_loads_nothing(self, page: Page) -> None:
        assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
        assert not page.all("src")
        assert all(value.startswith("#") for value in page.all("href") + page.all("xlink:href"))
        assert "@import" not in page.source
        assert set(re.findall(r"url\((.)", page.source)) <= {"#"}

    def test_the_only_addresses_in_it_are_names_of_dialects(self, page: Page) -> None:
        outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page.source)
        assert re.findall(r"https?://\S+", outside) == []

    def test_a_browser_is_told_to_keep_it_so(self, page: Page) -> None:
        assert page.all("http-equiv") == ["Content-Security-Policy"]
        assert "default-src 'none'; style-src 'unsafe-inline'" in page.all("content")

    def test_ids_are_unique_and_every_reference_leads_to_one(self, page: Page) -> None:
        ids = page.all("id")
        assert len(ids) == len(set(ids))
        referred = set(re.findall(r'(?:url\(#|href="#)([^")]+)', page.source))
        assert bool(referred) == ("attempts-bad" in page.source)
        assert referred <= set(ids)

    def test_the_same_report_is_the_same_page(self) -> None:
        assert html.render(ALL["paused"]) == drawn("paused").source

    def test_it_is_small_enough_to_be_attached_to_anything(self, page: Page) -> None:
        assert len(page.source) < 600_000


class TestTexts:
    """Whatever a text is, it is shown and nothing more."""

    @pytest.fixture
    def evil(self, perfect: DrillReport) -> Page:
        return Page(
            html.render(
                replace(
                    perfect,
                    env=EVIL,
                    command=EVIL,
                    aborted=EVIL,
                    target=EVIL,
                    lost_region=EVIL,
                    took_over=EVIL + "2",
                    reasons=(EVIL, "more " + EVIL),
                    marks=(Mark(3.0, EVIL),),
                    answers=(Mark(2.0, EVIL),),
                    phases=(PhaseTiming(Phase.LOAD, 1.0, 2.0, None, EVIL),),
                    restoration=Restoration((EVIL,), (EVIL,), EVIL),
                    reconciliation=Reconciliation(1, 1, {}, (EVIL,), 0, (EVIL,)),
                    load=replace(perfect.load, ticks=perfect.load.ticks[:9]),
                )
            )
        )

    def test_none_of_it_becomes_an_element_or_an_attribute(self, evil: Page) -> None:
        assert not {"script", "img"} & set(evil.tags)
        assert "onerror" not in {name for _, name, _ in evil.attributes}

    def test_all_of_it_can_be_read(self, evil: Page) -> None:
        shown = EVIL.replace("\u202e", "\\u202e")
        assert sum(shown in text for text in evil.texts) > 12
        assert "\u202e" not in evil.source

    def test_why_a_verdict_is_fail_stands_on_top(self, failed: DrillReport) -> None:
        source = drawn("failed").source
        top = source[: source.index("<h2>")]
        assert all(html.text(reason) in top for reason in failed.reasons)

    def test_every_table_is_there(self, page: Page) -> None:
        headings = {"The drill", "Recovery", "Phases", "Payments", "Availability", "Restoration", "Next"}
        headings |= {"Latency of acknowledged attempts", "What happened", "What the name servers said"}
        assert headings <= set(page.texts)

    def test_a_drill_in_which_nobody_moves_has_no_recovery_to_draw(self) -> None:
        assert "Recovery, predicted and measured" in drawn("aborted").source
        assert "Recovery, predicted and measured" not in drawn("reversed").source


# -- colours -----------------------------------------------------------------------------------------------


def palettes() -> dict[str, dict[str, str]]:
    """The variables of the light page, and of the dark one."""
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part))
        for part in STYLE.split("@media screen and (prefers-color-scheme: dark)")[:2]
    )
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, as WCAG 2.2 defines it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


class TestColours:
    """Light and dark, readable in both."""

    def test_both_have_every_variable_that_the_drawings_use(self) -> None:
        found = palettes()
        names = {ink.value for ink in Ink} | set(re.findall(r"var\(--([a-z-]+)\)", STYLE))
        assert names == set(found["light"]) == set(found["dark"])

    def test_a_drawing_has_no_colour_of_its_own(self, page: Page) -> None:
        drawings = "".join(re.findall(r"<svg.*?</svg>", page.source, re.DOTALL))
        assert drawings.count("<svg") in (len(SIZES), 2 * len(SIZES))
        plain = re.sub(r'(url\(#|href="#)[^")]+', "", drawings)
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b", plain) == []
        assert "rgb(" not in plain

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(
        ("text", "ground"),
        [
            *(("ink", ground) for ground in ("page", "raised", "pass-pale", "fail-pale")),
            *(("muted", ground) for ground in ("page", "raised", "pass-pale", "fail-pale")),
            ("pass", "pass-pale"),
            ("pass", "page"),
            ("fail", "fail-pale"),
            ("fail", "page"),
            *(("on-fill", ground) for ground in ("fault", "restoring", "other")),
            ("fault", "page"),
            ("restoring", "page"),
        ],
    )
    def test_text_can_be_read(self, scheme: str, text: str, ground: str) -> None:
        palette = palettes()[scheme]
        assert contrast(palette[text], palette[ground]) >= 4.5

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("name", ["lost", "other", "elsewhere", "bad", "fault", "restoring", "before"])
    def test_what_is_drawn_can_be_seen(self, scheme: str, name: str) -> None:
        palette = palettes()[scheme]
        assert contrast(palette[name], palette["page"]) >= 3
