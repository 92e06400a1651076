"""A drawing in pixels, written as SVG for a page that has the colours and the fonts.

SVG needs no script: the page opens anywhere, runs nothing, prints, and is small. A library that draws in the
browser brings megabytes of script into every report, and matplotlib 169 MB into every installation. Text
stays text, and every colour is a variable of the page: one drawing serves light and dark. ElementTree writes
the elements and escapes what they hold.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import log10
from xml.etree import ElementTree

from payinfra.report.printable import visible

TEXT_PX = 11.5
"""The size of all text."""

_ADVANCES = (
    (318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337),
    (636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531),
    (1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787),
    (603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500),
    (500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612),
    (635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838, 1000),
)
"""How far each printable character of ASCII advances in DejaVu Sans, in thousandths of the font's size."""
_BOLD = 1.27
"""DejaVu Sans Bold against the regular font, at most."""
_STEPS = (1, 2, 3, 5, 10)


class Ink(StrEnum):
    """The page's colours, by the name of their variable."""

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
    def css(self) -> str:
        """The colour in a style."""
        return f"var(--{self.value})"


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


def width_of(text: str, weight: str = "normal") -> float:
    """How wide a text may be, in pixels: in DejaVu Sans, which is wider than what browsers have."""
    thousandths = sum(
        _ADVANCES[ord(char) // 16 - 2][ord(char) % 16] if " " <= char <= "~" else 1000 for char in text
    )
    return thousandths / 1000 * TEXT_PX * (_BOLD if weight == "bold" else 1.0)


def ticks(most: float, count: int) -> list[int]:
    """Round whole numbers from 0 to `most`, at most `count` steps of them."""
    least = max(most / count, 1.0)
    scale = 10 ** int(log10(least))
    step = next(int(one * scale) for one in _STEPS if one * scale >= least)
    return list(range(0, int(most) + 1, step))


@dataclass(frozen=True)
class Style:
    """How a shape is drawn. No colour is no fill, or no line.

    Attributes:
        fill_opacity: from 0 to 1.
        width: of the line, in pixels.
        dashes: pixels drawn and left out in turn; empty for a line without gaps.
        hatched: fill with stripes of `fill` on a pale ground.
    """

    fill: Ink | None = None
    line: Ink | None = None
    fill_opacity: float = 1.0
    width: float = 1.0
    dashes: tuple[int, ...] = ()
    hatched: bool = False


@dataclass
class Axes:
    """A plot: places in data, drawn in pixels. `bottom` and `top` are the data's values at its edges."""

    canvas: "Canvas"
    top_px: int
    height_px: int
    end_s: float
    bottom: float = 0.0
    top: float = 1.0

    def limits(self, bottom: float, top: float) -> None:
        """Set the data's values at the lower and the upper edge."""
        self.bottom, self.top = bottom, top

    @property
    def pixel(self) -> float:
        """Seconds to a pixel."""
        return self.end_s / self.canvas.size.plot

    def x(self, seconds: float) -> float:
        """Pixels from the drawing's left edge."""
        return self.canvas.size.left + seconds / self.pixel

    def y(self, value: float) -> float:
        """Pixels from the drawing's upper edge."""
        return self.top_px + (self.top - value) / (self.top - self.bottom) * self.height_px

    def box(
        self, x: float, y: float, wide: float, high: float, style: Style, *, name: str = "", level: int = 2
    ) -> None:
        """A rectangle from `x` and `y` on."""
        left, right = self.x(x), self.x(x + wide)
        upper, lower = self.y(y), self.y(y + high)
        self.canvas.path(f"M{left:.2f} {upper:.2f}H{right:.2f}V{lower:.2f}H{left:.2f}Z", style, name, level)

    def line(
        self, points: Iterable[tuple[float, float] | None], style: Style, name: str = "", level: int = 3
    ) -> None:
        """A line through points of the data, with a gap where there is None."""
        drawn, pen = [], "M"
        for point in points:
            if point is not None:
                drawn.append(f"{pen}{self.x(point[0]):.2f} {self.y(point[1]):.2f}")
            pen = "M" if point is None else "L"
        self.canvas.path("".join(drawn), style, name, level)

    def area(
        self, edges: Sequence[float], low: Sequence[float], high: Sequence[float], style: Style, name: str
    ) -> None:
        """What lies between two stairs. There is one edge more than there are steps."""
        steps = list(zip(edges, edges[1:], low, high, strict=False))
        upper = [(x, top) for left, right, _, top in steps for x in (left, right)]
        lower = [(x, below) for left, right, below, _ in reversed(steps) for x in (right, left)]
        points = "L".join(f"{self.x(x):.2f} {self.y(y):.2f}" for x, y in (*upper, *lower))
        self.canvas.path(f"M{points}Z", style, name, 2)

    def upright(self, x: float, style: Style, name: str = "", level: int = 1) -> None:
        """A line over the whole height."""
        self.line(((x, self.bottom), (x, self.top)), style, name, level)

    def shade(self, begin: float, end: float, style: Style, name: str) -> None:
        """A ground over the whole height."""
        self.box(begin, self.bottom, end - begin, self.top - self.bottom, style, name=name, level=0)

    def scale_time(self, count: int) -> None:
        """Seconds below the plot."""
        for second in ticks(self.end_s, count):
            self.canvas.text(self.x(second), self.top_px + self.height_px + 11, str(second), ink=Ink.MUTED)

    def scale_values(self) -> None:
        """Values left of the plot, each with a line."""
        for value in ticks(self.top, 4):
            self.line(((0, value), (self.end_s, value)), Style(line=Ink.LINE, width=0.6), level=1)
            left = self.canvas.size.left - 5
            self.canvas.text(left, self.y(value), str(value), anchor="end", ink=Ink.MUTED)


@dataclass
class Canvas:
    """A drawing of a size and a height, both in pixels, that is filled from the top.

    Attributes:
        titles: what a pointer reads on a shape, by its name.
    """

    size: Size
    height: int
    titles: dict[str, str] = field(default_factory=dict)
    _drawn: list[tuple[int, str, ElementTree.Element]] = field(default_factory=list)
    _hints: list[ElementTree.Element] = field(default_factory=list)

    def axes(self, top: int, height: int, end_s: float, *, ground: bool = True) -> Axes:
        """A plot from `top` on, over the whole width of the plots, with time from 0 to `end_s`.

        Args:
            ground: whether a line is drawn along its lower edge.
        """
        made = Axes(self, top, height, end_s)
        if ground:
            left, right, low = self.size.left, self.size.left + self.size.plot, top + height
            self.path(f"M{left} {low}H{right}", Style(line=Ink.LINE, width=0.8), level=4)
        return made

    def path(self, shape: str, style: Style, name: str = "", level: int = 2) -> None:
        """A shape; what has a higher level is drawn above what has a lower one."""
        drawn = ElementTree.Element("path", d=shape, style=_css(style))
        if style.hatched:
            drawn.set("fill", "hatched")
        self._drawn.append((level, name, drawn))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "middle",
        ink: Ink = Ink.INK,
        weight: str = "normal",
        name: str = "",
    ) -> None:
        """A text whose middle line is at `y`; `anchor` says what of it is at `x`: start, middle or end."""
        style = f"fill: {ink.css}" + ("; font-weight: bold" if weight == "bold" else "")
        place = {"x": f"{x:.2f}", "y": f"{y:.2f}", "text-anchor": anchor, "dominant-baseline": "central"}
        drawn = ElementTree.Element("text", {**place, "style": style})
        drawn.text = visible(text)
        self._drawn.append((5, name, drawn))

    def title(self, axes: Axes, text: str) -> None:
        """A title above a plot, from the drawing's left edge on where names do not stand there."""
        x = self.size.left if self.size.names_beside else 6.0
        self.text(x, axes.top_px - 12, text, anchor="start", weight="bold")

    def hint(self, left: float, width: float, place: tuple[int, int], text: str) -> None:
        """What a pointer reads that rests on a part of the plots: unseen, and above all that is drawn.

        Args:
            left: pixels from the plots' left edge.
            place: top and height, in pixels.
        """
        top, height = place
        area = {
            "x": f"{self.size.left + left:.1f}",
            "y": str(top),
            "width": f"{width:.1f}",
            "height": str(height),
        }
        hint = ElementTree.Element("rect", {"class": "hint", **area})
        ElementTree.SubElement(hint, "title").text = _lines(text)
        self._hints.append(hint)

    def svg(self, name: str, label: str) -> str:
        """The drawing as an element for a page.

        Args:
            name: of the drawing, which makes the ids in it differ from those of any other in the page.
            label: what it shows, for those who do not see it.
        """
        prefix = f"{name}-{self.size.name}-"
        root = ElementTree.Element(
            "svg",
            {
                "class": f"for-{self.size.name}",
                "role": "img",
                "aria-label": _lines(label),
                "viewBox": f"0 0 {self.size.width} {self.height}",
                "style": f"font-size: {TEXT_PX}px",
            },
        )
        if any("fill" in drawn.attrib for _, _, drawn in self._drawn):
            root.append(_stripes(f"{prefix}hatch"))
        for _, group, drawn in sorted(self._drawn, key=lambda one: one[0]):
            if drawn.attrib.pop("fill", None):
                drawn.set("style", f"fill: url(#{prefix}hatch); {drawn.get('style')}")
            root.append(self._grouped(prefix, group, drawn) if group else drawn)
        root.extend(self._hints)
        return ElementTree.tostring(root, encoding="unicode")

    def _grouped(self, prefix: str, name: str, drawn: ElementTree.Element) -> ElementTree.Element:
        """A group with a class to style it by, and what a title was given for that title."""
        kind = re.sub(r"[-_]\d+$", "", name)
        group = ElementTree.Element("g", {"id": f"{prefix}{name}", "class": kind})
        if name in self.titles:
            ElementTree.SubElement(group, "title").text = _lines(self.titles[name])
        group.append(drawn)
        return group


def _css(style: Style) -> str:
    fill = [] if style.hatched else [f"fill: {style.fill.css if style.fill else 'none'}"]
    if style.fill_opacity < 1:
        fill.append(f"fill-opacity: {style.fill_opacity}")
    if style.line is not None:
        fill += [f"stroke: {style.line.css}", f"stroke-width: {style.width}"]
    if style.dashes:
        fill.append(f"stroke-dasharray: {' '.join(map(str, style.dashes))}")
    return "; ".join(fill)


def _stripes(name: str) -> ElementTree.Element:
    """The pattern of what failed."""
    defs = ElementTree.Element("defs")
    turned = {"width": "6", "height": "6", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    pattern = ElementTree.SubElement(defs, "pattern", {"id": name, **turned})
    for width, ink in (("6", Ink.BAD_PALE), ("1.6", Ink.BAD)):
        ElementTree.SubElement(pattern, "rect", {"width": width, "height": "6", "style": f"fill: {ink.css}"})
    return defs


def _lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))
