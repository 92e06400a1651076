"""A drawing in pixels on matplotlib, written as SVG for a page that has the colours and the fonts.

Why matplotlib: its SVG needs no script, so the page opens anywhere, runs nothing, prints, and is small (a
library that draws in the browser brings megabytes of script into every report). Its text stays text. Its
colours are replaced by the page's variables, so that one drawing serves light and dark.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from payinfra.report.printable import visible

TEXT_PX = 11.5
"""The size of all text."""
_GROUP = re.compile(r'<g id="([^"]+)">')
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_NAMED = re.compile(r'(\bid="|url\(#|href="#)')


class Ink(StrEnum):
    """The page's colours, by the name of their variable. Their values here only tell them apart."""

    INK = "ink"
    MUTED = "muted"
    LINE = "line"
    FAINT = "faint"
    PAGE = "page"
    RAISED = "raised"
    LOST = "lost"
    OTHER = "other"
    ELSEWHERE = "elsewhere"
    BAD = "bad"
    BAD_PALE = "bad-pale"
    BEFORE = "before"
    FAULT = "fault"
    RESTORING = "restoring"
    AFTER = "after"
    ON_FILL = "on-fill"

    @property
    def rgb(self) -> str:
        """The colour that stands for the variable until the drawing is written."""
        return f"#0ab{list(Ink).index(self):03x}"


@dataclass(frozen=True)
class Size:
    """A width for which everything is drawn anew, so that text is as large on a phone as on a desk.

    Attributes:
        name: of the class that the page's stylesheet shows it by.
        width: pixels.
        left: pixels left of the plots.
        names_beside: whether names stand left of their rows, or above them.
    """

    name: str
    width: int
    left: int
    names_beside: bool
    right: int = 14

    @property
    def plot(self) -> int:
        """The plots' width in pixels."""
        return self.width - self.left - self.right


WIDE = Size("wide", 1040, 176, names_beside=True)
MEDIUM = Size("medium", 720, 168, names_beside=True)
NARROW = Size("narrow", 360, 36, names_beside=False)
SIZES = (WIDE, MEDIUM, NARROW)


@cache
def width_of(text: str, weight: str = "normal") -> float:
    """How wide a text may be, in pixels: in DejaVu Sans, which is wider than what browsers have."""
    font = FontProperties(size=TEXT_PX, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width)


@dataclass
class Canvas:
    """A figure of a size and a height, both in pixels, that is filled from the top."""

    size: Size
    height: int
    titles: dict[str, str] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    figure: Figure = field(init=False)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.size.width / 72, self.height / 72), dpi=72)
        self.figure.patch.set_visible(False)

    def axes(self, top: int, height: int, end_s: float) -> Axes:
        """Plain axes from `top` on, over the whole width of the plots, with time from 0 to `end_s`."""
        size = self.size
        made = self.figure.add_axes(
            (
                size.left / size.width,
                1 - (top + height) / self.height,
                size.plot / size.width,
                height / self.height,
            )
        )
        made.patch.set_visible(False)
        made.set_xlim(0, end_s)
        made.set_axisbelow(True)
        made.tick_params(length=0, labelsize=TEXT_PX, labelcolor=Ink.MUTED.rgb, pad=5)
        for side, spine in made.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(Ink.LINE.rgb)
        made.tick_params(labelbottom=False)
        return made

    def write(self, axes: Axes, x: float, y: float, text: str, **style: object) -> None:
        """A text at a place of the axes' data; never taken for a formula, never clipped."""
        given: dict[str, object] = {"fontsize": TEXT_PX, "color": Ink.INK.rgb, "va": "center", **style}
        axes.text(x, y, visible(text), parse_math=False, clip_on=False, **given)  # type: ignore[arg-type]

    def title(self, axes: Axes, text: str) -> None:
        """A title above axes, from the drawing's left edge on where names do not stand there."""
        left = 0.0 if self.size.names_beside else 6.0 - self.size.left
        axes.annotate(
            text,
            (0, 1),
            (left, 12),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=TEXT_PX,
            fontweight="bold",
            color=Ink.INK.rgb,
        )

    def hint(self, left: float, width: float, place: tuple[int, int], text: str) -> None:
        """What a pointer reads that rests on a part of the plots: unseen, and above all that is drawn.

        Args:
            left: pixels from the plots' left edge.
            place: top and height, in pixels.
        """
        top, height = place
        self.hints.append(
            f'<rect class="hint" x="{self.size.left + left:.1f}" y="{top}" width="{width:.1f}" '
            f'height="{height}"><title>{_text(text)}</title></rect>'
        )

    def svg(self, name: str, label: str) -> str:
        """The drawing as an element for a page.

        Args:
            name: of the drawing, which makes the ids in it differ from those of any other in the page.
            label: what it shows, for those who do not see it.
        """
        file = StringIO()
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "hatch.linewidth": 1.2}):
            self.figure.savefig(file, format="svg", metadata={"Date": None})
        drawn = file.getvalue()
        drawn = _METADATA.sub("", drawn[drawn.index("<svg") :])
        for ink in Ink:
            drawn = drawn.replace(ink.rgb, f"var(--{ink.value})")
        drawn = _GROUP.sub(self._group, drawn)
        drawn = _NAMED.sub(rf"\g<1>{name}-{self.size.name}-", drawn)
        head = (
            f'<svg class="for-{self.size.name}" role="img" aria-label="{_attribute(label)}" '
            f'viewBox="0 0 {self.size.width} {self.height}"'
        )
        body = drawn[drawn.index(">") + 1 :].rstrip().removesuffix("</svg>")
        return f'{head} xmlns:xlink="http://www.w3.org/1999/xlink">{body}{"".join(self.hints)}</svg>'

    def _group(self, found: re.Match[str]) -> str:
        """Give what was named a class to style it by, and what a title was given for that title."""
        name = found[1]
        kind = re.sub(r"[-_]\d+$", "", name)
        title = self.titles.get(name)
        shown = "" if title is None else f"<title>{_text(title)}</title>"
        return f'<g id="{name}" class="{kind}">{shown}'


def _text(value: str) -> str:
    lines = "\n".join(visible(line) for line in value.split("\n"))
    return lines.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(value: str) -> str:
    return _text(value).replace('"', "&quot;")
