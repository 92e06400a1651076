"""The drawings of a drill: its timeline, and its recovery beside what was predicted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, nan
from statistics import median

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from payinfra.drill.model import DrillReport, Mark, Phase, PhaseTiming, Tick
from payinfra.report.drill import content
from payinfra.report.drill.canvas import SIZES, TEXT_PX, Canvas, Ink, Size, width_of
from payinfra.report.printable import visible

LEAST_PX = 2.0
"""What is shorter than this is drawn this long, so that it can be seen."""
COLUMN_PX = 3.0
"""A second, or as many seconds as need be, is drawn at least this wide."""
_LANE_PX, _NEAR_PX = 19, 17
_HEAD_PX, _GAP_PX = 24, 14

_STAGES = {
    Ink.BEFORE: ("before", (Phase.LOCK, Phase.RECORD, Phase.STEADY_BEFORE, Phase.LOAD)),
    Ink.FAULT: (
        "fault in place",
        (
            Phase.INJECT,
            Phase.TAKES_EFFECT,
            Phase.FIRST_FAILURE,
            Phase.UNHEALTHY,
            Phase.SWITCHED,
            Phase.SERVING,
            Phase.HOLD,
            Phase.ALARMS,
        ),
    ),
    Ink.RESTORING: ("restoring", (Phase.RESTORE, Phase.HEALTHY, Phase.DNS_BACK, Phase.CAUGHT_UP)),
    Ink.AFTER: ("after", (Phase.STEADY_AFTER, Phase.RECONCILE)),
}
_INK_OF = {phase: ink for ink, (_, phases) in _STAGES.items() for phase in phases}
_RECOVERING = {Phase.UNHEALTHY: Ink.FAULT, Phase.SWITCHED: Ink.RESTORING, Phase.SERVING: Ink.OTHER}


# -- the timeline ------------------------------------------------------------------------------------------


def timeline(report: DrillReport) -> Iterator[str]:
    """The legend and the drawings, one for each width of a window."""
    yield _legend(
        ('style="background:var(--lost)"', f"acknowledged by {report.lost_region}, which was made to fail"),
        ('style="background:var(--other)"', f"acknowledged by {report.took_over}"),
        ('class="failed"', "failed or not answered"),
        ('class="solid"', "latency p50"),
        ('class="dashed"', "latency p95"),
    )
    yield _legend(
        ('style="background:var(--muted)"', "measured"),
        ('class="predicted"', "predicted"),
        ('class="number"', "listed by its number below", "1"),
    )
    for size in SIZES:
        yield timeline_at(report, size)
    yield (
        '<p class="hint"><span class="pointer">Rest on a second to read its figures. </span>'
        "What happened is listed below by its numbers.</p>"
    )


def timeline_at(report: DrillReport, size: Size) -> str:
    """The drawing for one width. A prediction that ends after the drill did goes on beyond its edge."""
    ticks = report.load.ticks
    columns = binned(report, max(1, ceil(len(ticks) * COLUMN_PX / size.plot)))
    ends = [timing.began_s + timing.seconds for timing in report.phases]
    end_s = max([report.seconds, *ends, *(tick.at_s + 1 for tick in ticks), 1.0])
    second = size.plot / end_s
    marks, answers = content.numbered(report)
    strips = [
        ("what happened", "mark", badges(marks, second, size.plot)),
        ("name servers", "answer", badges(answers, second, size.plot)),
    ]
    row = 21 if size.names_beside else 33
    heights = [
        max(len(report.phases), 1) * row,
        *((max((badge.lane for badge in placed), default=0) + 1) * _LANE_PX for *_, placed in strips),
        190 if size.names_beside else 150,
        130 if size.names_beside else 110,
    ]
    canvas = Canvas(size, sum(heights) + len(heights) * (_HEAD_PX + _GAP_PX) + 26)
    tops, top = [], 0
    for height in heights:
        tops.append(top + _HEAD_PX)
        top += _HEAD_PX + height + _GAP_PX
    titles = (
        "phases: took / predicted, seconds",
        "what happened",
        "what the name servers said",
        "attempts a second",
        "latency of acknowledged attempts, ms",
    )
    axes = []
    for height, begin, title in zip(heights, tops, titles, strict=True):
        made = canvas.axes(begin, height, end_s)
        made.set_ylim(0, height)
        canvas.title(made, title)
        axes.append(made)
    gantt, happened, said, rate, latency = axes
    _phases(canvas, gantt, report.phases, row)
    for strip, (_, kind, placed) in zip((happened, said), strips, strict=True):
        _strip(canvas, strip, kind, placed, report)
    _stages(rate, latency, report, second)
    moments = [mark.at_s for _, mark in (*marks, *answers)]
    for each in (rate, latency):
        upright = each.get_xaxis_transform()
        dots = (0, (1, 3))
        each.vlines(
            moments, 0, 1, color=Ink.MUTED.rgb, linewidth=0.8, linestyle=dots, zorder=1, transform=upright
        )
    _attempts(rate, columns)
    _latency(canvas, latency, columns, end_s)
    latency.tick_params(labelbottom=True)
    latency.xaxis.set_major_locator(MaxNLocator(10 if size.names_beside else 5, integer=True))
    bottom = -31 * latency.get_ylim()[1] / heights[-1]
    canvas.write(latency, end_s, bottom, "seconds since the drill began", ha="right", color=Ink.MUTED.rgb)
    _moments(canvas, (tops[3], tops[4] + heights[4] - tops[3]), columns, second)
    return canvas.svg("timeline", f"Timeline of the drill, {content.seconds(report.seconds)} long.")


def _phases(canvas: Canvas, axes: Axes, timings: Sequence[PhaseTiming], row: int) -> None:
    size = canvas.size
    pixel = axes.get_xlim()[1] / size.plot
    axes.set_ylim(max(len(timings), 1) * row, 0)
    axes.set_yticks([])
    bar = 11
    for number, timing in enumerate(timings):
        top = number * row + (row - bar) / 2 + (0 if size.names_beside else 7)
        middle = top + bar / 2
        if number % 2 == 0:
            axes.add_artist(_box(-size.left * pixel, number * row, size.width * pixel, row, Ink.RAISED))
        if timing.predicted_s is not None:
            outline = Rectangle(
                (timing.began_s, top - 2),
                max(timing.predicted_s, LEAST_PX * pixel),
                bar + 4,
                fill=False,
                edgecolor=Ink.MUTED.rgb,
                linewidth=1.2,
                gid=f"predicted-{number}",
            )
            axes.add_artist(outline)
        long = max(timing.seconds, LEAST_PX * pixel)
        drawn = _box(timing.began_s, top, long, bar, _INK_OF[timing.phase], gid=f"phase-{number}")
        axes.add_artist(drawn)
        told = f"{timing.seconds:.1f}"
        if timing.predicted_s is not None:
            told += f" / {timing.predicted_s:.1f}"
        end = timing.began_s + max(long, timing.predicted_s or 0)
        name = timing.phase.value
        if size.names_beside:
            canvas.write(axes, -10 * pixel, middle, name, ha="right", gid=f"phase-name-{number}")
            fits = end + (width_of(told) + 8) * pixel <= axes.get_xlim()[1]
            x, side = (end + 6 * pixel, "left") if fits else (timing.began_s - 6 * pixel, "right")
            canvas.write(axes, x, middle, told, ha=side, color=Ink.MUTED.rgb)
        else:
            above = top - 9
            begin = -(size.left - 6) * pixel
            canvas.write(axes, begin, above, name, gid=f"phase-name-{number}")
            canvas.write(axes, axes.get_xlim()[1], above, told, ha="right", color=Ink.MUTED.rgb)


def _stages(rate: Axes, latency: Axes, report: DrillReport, second: float) -> None:
    """Shade what belongs together, and name it where there is room."""
    spans = []
    for ink, (name, phases) in _STAGES.items():
        mine = [timing for timing in report.phases if timing.phase in phases]
        if mine:
            begin = min(timing.began_s for timing in mine)
            spans.append((begin, max(timing.began_s + timing.seconds for timing in mine), ink, name))
    for number, (begin, end, ink, name) in enumerate(spans):
        shade = 0.16 if ink in (Ink.FAULT, Ink.RESTORING) else 0.06
        for name_of, axes in (("stage", rate), ("stage-below", latency)):
            axes.axvspan(
                begin, end, facecolor=ink.rgb, alpha=shade, linewidth=0, zorder=0, gid=f"{name_of}-{number}"
            )
        if width_of(name) + 8 < (end - begin) * second:
            rate.annotate(
                name,
                ((begin + end) / 2, 1),
                (0, -9),
                xycoords=rate.get_xaxis_transform(),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=TEXT_PX,
                color=(ink if ink in (Ink.FAULT, Ink.RESTORING) else Ink.MUTED).rgb,
                gid=f"stage-name-{number}",
            )


# -- attempts and latency ----------------------------------------------------------------------------------


@dataclass
class Column:
    """A second, or several, as drawn: attempts a second, and latency in milliseconds."""

    begin_s: float
    seconds: float
    lost: float = 0.0
    other: float = 0.0
    elsewhere: float = 0.0
    bad: float = 0.0
    p50_ms: float = nan
    p95_ms: float = nan
    told: str = ""


def binned(report: DrillReport, seconds: int) -> list[Column]:
    """The load in columns of so many seconds, without holes: what was not recorded is nothing."""
    ticks = report.load.ticks
    if not ticks:
        return []
    zero = int(min(tick.at_s for tick in ticks))
    last = int(max(tick.at_s for tick in ticks)) + 1
    bins: list[list[Tick]] = [[] for _ in range(zero, last, seconds)]
    for tick in ticks:
        bins[(int(tick.at_s) - zero) // seconds].append(tick)
    columns = []
    for number, inside in enumerate(bins):
        begin = zero + number * seconds
        columns.append(_column(report, inside, begin, min(seconds, last - begin)))
    return columns


def _column(report: DrillReport, ticks: Sequence[Tick], begin: int, seconds: int) -> Column:
    by_region: dict[str, int] = {report.lost_region: 0, report.took_over: 0}
    for tick in ticks:
        for region, count in tick.good.items():
            by_region[region] = by_region.get(region, 0) + count
    bad = sum(tick.bad for tick in ticks)
    lost, other, *rest = by_region.values()
    halves = [tick.p50_s * 1000 for tick in ticks if tick.p50_s is not None]
    most = [tick.p95_s * 1000 for tick in ticks if tick.p95_s is not None]
    column = Column(begin, seconds, lost / seconds, other / seconds, sum(rest) / seconds, bad / seconds)
    told = [f"{begin} to {begin + seconds} s", *(f"{name}: {count}" for name, count in by_region.items())]
    told.append(f"failed or not answered: {bad}")
    if halves and most:
        column.p50_ms, column.p95_ms = median(halves), max(most)
        told.append(f"p50 {column.p50_ms:.0f} ms, p95 {column.p95_ms:.0f} ms")
    column.told = "\n".join(visible(line) for line in told)
    return column


def _attempts(axes: Axes, columns: Sequence[Column]) -> None:
    edges = [column.begin_s for column in columns] + [
        column.begin_s + column.seconds for column in columns[-1:]
    ]
    base = [0.0] * len(columns)
    for name, ink in (
        ("lost", Ink.LOST),
        ("other", Ink.OTHER),
        ("elsewhere", Ink.ELSEWHERE),
        ("bad", Ink.BAD),
    ):
        values = [float(getattr(column, name)) for column in columns]
        if any(values):
            top = [low + value for low, value in zip(base, values, strict=True)]
            axes.fill_between(
                edges,
                [*base, base[-1]],
                [*top, top[-1]],
                step="post",
                facecolor=(Ink.BAD_PALE if ink is Ink.BAD else ink).rgb,
                edgecolor=ink.rgb,
                linewidth=0,
                hatch="////" if ink is Ink.BAD else None,
                zorder=2,
                gid=f"attempts-{name}",
            )
            base = top
    axes.set_ylim(0, max([*base, 1.0]) * 1.22)
    _scale(axes)


def _latency(canvas: Canvas, axes: Axes, columns: Sequence[Column], end_s: float) -> None:
    known = [column.p95_ms for column in columns if column.p95_ms == column.p95_ms]
    if known:
        edges = [edge for column in columns for edge in (column.begin_s, column.begin_s + column.seconds)]
        for name, ink, dashes in (("p50", Ink.INK, "solid"), ("p95", Ink.FAULT, (0, (4, 2)))):
            values = [float(getattr(column, f"{name}_ms")) for column in columns for _ in (0, 1)]
            axes.plot(
                edges, values, color=ink.rgb, linewidth=1.5, linestyle=dashes, zorder=3, gid=f"latency-{name}"
            )
        axes.set_ylim(0, max(known) * 1.15)
    else:
        canvas.write(axes, end_s / 2, 0.5, "no attempt was acknowledged", ha="center", color=Ink.MUTED.rgb)
        axes.set_ylim(0, 1)
    _scale(axes)


def _scale(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(visible=True, axis="y", color=Ink.LINE.rgb, linewidth=0.6)


def _moments(canvas: Canvas, place: tuple[int, int], columns: Sequence[Column], second: float) -> None:
    """Over both plots, what the pointer rests on to read a second's figures; a finger has the tables."""
    if canvas.size.names_beside:
        for column in columns:
            canvas.hint(column.begin_s * second, column.seconds * second, place, column.told)


# -- what happened -----------------------------------------------------------------------------------------


@dataclass
class Badge:
    """One number, or the first and the last of several that are too near to be told apart.

    Attributes:
        x_px: where its moment is; `middle_px` is where it is drawn, which differs at the edges.
        lane: 0 for the lowest.
    """

    x_px: float
    marks: list[tuple[int, Mark]]
    middle_px: float = 0.0
    lane: int = 0

    @property
    def label(self) -> str:
        """The numbers."""
        first, last = self.marks[0][0], self.marks[-1][0]
        return str(first) if first == last else f"{first}–{last}"  # noqa: RUF001 - a range's own dash

    @property
    def width_px(self) -> float:
        """How much room it takes."""
        return width_of(self.label) + 10


def badges(marks: Sequence[tuple[int, Mark]], second: float, plot: int) -> list[Badge]:
    """The numbers of moments, in the order of time, placed so that none covers another.

    Args:
        second: pixels to a second.
        plot: pixels to all of them.
    """
    placed: list[Badge] = []
    for number, mark in marks:
        x = mark.at_s * second
        if placed and x - placed[-1].x_px < _NEAR_PX:
            placed[-1].marks.append((number, mark))
        else:
            placed.append(Badge(x, [(number, mark)]))
    ends: list[float] = []
    for badge in placed:
        half = badge.width_px / 2
        badge.middle_px = min(max(badge.x_px, half), plot - half)
        begin = badge.middle_px - half
        free = (lane for lane, end in enumerate(ends) if end + 3 <= begin)
        badge.lane = next(free, len(ends))
        if badge.lane == len(ends):
            ends.append(0.0)
        ends[badge.lane] = begin + badge.width_px
    return placed


def _strip(canvas: Canvas, axes: Axes, kind: str, placed: Sequence[Badge], report: DrillReport) -> None:
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    height = axes.get_ylim()[1]
    pixel = axes.get_xlim()[1] / canvas.size.plot
    for badge in placed:
        number, mark = badge.marks[0]
        name = f"{kind}-{number}"
        canvas.titles[name] = "\n".join(
            f"{number}: {content.seconds(mark.at_s)} {mark.what}" for number, mark in badge.marks
        )
        middle = (badge.lane + 0.5) * _LANE_PX
        axes.plot(
            [badge.x_px * pixel, badge.x_px * pixel],
            [0, middle],
            color=Ink.MUTED.rgb,
            linewidth=0.8,
            zorder=1,
        )
        wide = badge.width_px * pixel
        axes.add_artist(
            Rectangle(
                (badge.middle_px * pixel - wide / 2, middle - 8),
                wide,
                16,
                facecolor=Ink.RAISED.rgb,
                edgecolor=_ink_of(mark, report).rgb,
                linewidth=1.4,
                zorder=2,
                clip_on=False,
                gid=name,
            )
        )
        canvas.write(axes, badge.middle_px * pixel, middle - 0.5, badge.label, ha="center", zorder=3)
    axes.set_ylim(0, height)


def _ink_of(mark: Mark, report: DrillReport) -> Ink:
    """The colour of the one region that a sentence names."""
    names = {report.lost_region: Ink.LOST, report.took_over: Ink.OTHER}
    named = [ink for region, ink in names.items() if region in mark.what]
    return named[0] if len(named) == 1 else Ink.MUTED


# -- recovery ----------------------------------------------------------------------------------------------


@dataclass
class _Row:
    """One bar of the recovery: its whole, and the phases in it, from the injection on."""

    name: str
    whole_s: float | None
    parts: list[tuple[Phase, float, float]] = field(default_factory=list)


def recovery(report: DrillReport) -> Iterator[str]:
    """The legend and the drawings, one for each width of a window."""
    yield _legend(
        *((f'style="background:var(--{ink.value})"', phase.value) for phase, ink in _RECOVERING.items()),
    )
    for size in SIZES:
        yield recovery_at(report, size)


def recovery_at(report: DrillReport, size: Size) -> str:
    """The drawing for one width."""
    rows = (_predicted(report), _measured(report))
    time = report.recovery
    end_s = max(time.predicted_s, time.objective_s, time.measured_s or 0, 1.0) * 1.04
    row = 34 if size.names_beside else 48
    head = 30
    canvas = Canvas(size, head + row * len(rows) + 26)
    axes = canvas.axes(head, row * len(rows), end_s)
    axes.set_ylim(row * len(rows), 0)
    axes.set_yticks([])
    axes.tick_params(labelbottom=True)
    axes.xaxis.set_major_locator(MaxNLocator(10 if size.names_beside else 5, integer=True))
    pixel = end_s / size.plot
    for number, each in enumerate(rows):
        _bar(canvas, axes, each, number * row + row - 29, pixel)
    axes.axvline(time.objective_s, color=Ink.INK.rgb, linewidth=1.6, zorder=4, gid="objective")
    told = f"objective {content.seconds(time.objective_s)}"
    half = width_of(told, "bold") / 2 * pixel
    x = max(time.objective_s, half - size.left * pixel)
    x = min(x, end_s + size.right * pixel - half)
    canvas.write(axes, x, -12, told, ha="center", fontweight="bold")
    measured = content.maybe(time.measured_s)
    label = f"Recovery: predicted {content.seconds(time.predicted_s)}, measured {measured}, {told}."
    return canvas.svg("recovery", label)


def _bar(canvas: Canvas, axes: Axes, row: _Row, top: float, pixel: float) -> None:
    whole = "never" if row.whole_s is None else content.seconds(row.whole_s)
    if canvas.size.names_beside:
        canvas.write(axes, -10 * pixel, top + 11, f"{row.name}: {whole}", ha="right")
    else:
        canvas.write(axes, -(canvas.size.left - 6) * pixel, top - 10, f"{row.name}: {whole}")
    if row.whole_s is not None:
        axes.add_artist(_box(0, top, row.whole_s, 22, Ink.FAINT, gid=f"whole-{row.name}"))
    for number, (phase, begin, seconds) in enumerate(row.parts):
        long = max(seconds, LEAST_PX * pixel)
        axes.add_artist(_box(begin, top, long, 22, _RECOVERING[phase], gid=f"part-{row.name}-{number}"))
        told = content.seconds(seconds)
        if width_of(told) + 8 < long / pixel:
            canvas.write(axes, begin + long / 2, top + 11, told, ha="center", color=Ink.ON_FILL.rgb, zorder=3)


def _predicted(report: DrillReport) -> _Row:
    row = _Row("predicted", report.recovery.predicted_s)
    begin = 0.0
    for timing in report.phases:
        if timing.phase in _RECOVERING and timing.predicted_s is not None:
            row.parts.append((timing.phase, begin, timing.predicted_s))
            begin += timing.predicted_s
    return row


def _measured(report: DrillReport) -> _Row:
    row = _Row("measured", report.recovery.measured_s)
    found = [timing for timing in report.phases if timing.phase in _RECOVERING]
    zero = injected(report)
    row.parts += [(each.phase, max(each.began_s - zero, 0.0), each.seconds) for each in found]
    return row


def injected(report: DrillReport) -> float:
    """When the recovery began to be measured: so long before the other region served, or at the injection."""
    for timing in report.phases:
        if timing.phase is Phase.SERVING and report.recovery.measured_s is not None:
            return timing.began_s + timing.seconds - report.recovery.measured_s
    return next((timing.began_s for timing in report.phases if timing.phase is Phase.INJECT), 0.0)


# -- small parts -------------------------------------------------------------------------------------------


def _box(x: float, y: float, wide: float, high: float, ink: Ink, gid: str | None = None) -> Rectangle:
    return Rectangle(
        (x, y), wide, high, facecolor=ink.rgb, linewidth=0, zorder=2 if gid else 0, gid=gid, clip_on=False
    )


def _legend(*entries: tuple[str, str] | tuple[str, str, str]) -> str:
    items = (
        f"<li><i {entry[0]}>{escape(entry[2]) if len(entry) == 3 else ''}</i>{escape(visible(entry[1]))}</li>"
        for entry in entries
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
