"""The drawings of a drill: its timeline, and its recovery beside what was predicted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, nan
from statistics import median

from payinfra.drill.model import DrillReport, Mark, Phase, PhaseTiming, Tick
from payinfra.report.drill import content
from payinfra.report.drill.canvas import SIZES, Axes, Canvas, Ink, Size, Style, width_of
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
    Ink.RESTORING: (
        "restoring",
        (Phase.RETURN, Phase.RESTORE, Phase.HEALTHY, Phase.DNS_BACK, Phase.CAUGHT_UP),
    ),
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
    for number, (height, begin, title) in enumerate(zip(heights, tops, titles, strict=True)):
        made = canvas.axes(begin, height, end_s, ground=number not in (1, 2))
        made.limits(0, height)
        canvas.title(made, title)
        axes.append(made)
    gantt, happened, said, rate, latency = axes
    _phases(canvas, gantt, report.phases, row)
    for strip, (_, kind, placed) in zip((happened, said), strips, strict=True):
        _strip(canvas, strip, kind, placed, report)
    _stages(rate, latency, report, second)
    moments = [mark.at_s for _, mark in (*marks, *answers)]
    _attempts(rate, columns)
    _latency(canvas, latency, columns, end_s)
    for each, moment in ((each, moment) for each in (rate, latency) for moment in moments):
        each.upright(moment, Style(line=Ink.MUTED, width=0.8, dashes=(1, 3)))
    latency.scale_time(10 if size.names_beside else 5)
    below = tops[4] + heights[4] + 31
    canvas.text(latency.x(end_s), below, "seconds since the drill began", anchor="end", ink=Ink.MUTED)
    _moments(canvas, (tops[3], tops[4] + heights[4] - tops[3]), columns, second)
    return canvas.svg("timeline", f"Timeline of the drill, {content.seconds(report.seconds)} long.")


def _phases(canvas: Canvas, axes: Axes, timings: Sequence[PhaseTiming], row: int) -> None:
    size = canvas.size
    pixel = axes.pixel
    axes.limits(max(len(timings), 1) * row, 0)
    bar = 11
    for number, timing in enumerate(timings):
        top = number * row + (row - bar) / 2 + (0 if size.names_beside else 7)
        middle = axes.y(top + bar / 2)
        if number % 2 == 0:
            axes.box(
                -size.left * pixel, number * row, size.width * pixel, row, Style(fill=Ink.RAISED), level=0
            )
        if timing.predicted_s is not None:
            end = timing.began_s + max(timing.predicted_s, LEAST_PX * pixel)
            _outline(axes, (timing.began_s, end), (top - 2, top + bar + 2), f"predicted-{number}")
        long = max(timing.seconds, LEAST_PX * pixel)
        axes.box(timing.began_s, top, long, bar, Style(fill=_INK_OF[timing.phase]), name=f"phase-{number}")
        told = f"{timing.seconds:.1f}"
        if timing.predicted_s is not None:
            told += f" / {timing.predicted_s:.1f}"
        end = timing.began_s + max(long, timing.predicted_s or 0)
        name = timing.phase.value
        if size.names_beside:
            canvas.text(size.left - 10, middle, name, anchor="end", name=f"phase-name-{number}")
            fits = end + (width_of(told) + 8) * pixel <= axes.end_s
            x, anchor = (axes.x(end) + 6, "start") if fits else (axes.x(timing.began_s) - 6, "end")
            canvas.text(x, middle, told, anchor=anchor, ink=Ink.MUTED)
        else:
            above = axes.y(top - 9)
            canvas.text(6, above, name, anchor="start", name=f"phase-name-{number}")
            canvas.text(axes.x(axes.end_s), above, told, anchor="end", ink=Ink.MUTED)


def _outline(axes: Axes, span: tuple[float, float], rows: tuple[float, float], name: str) -> None:
    """A frame; open at the right where it goes on beyond the plot."""
    (begin, end), (upper, lower) = span, rows
    right = min(end, axes.end_s)
    frame = [(right, upper), (begin, upper), (begin, lower), (right, lower)]
    if end <= axes.end_s:
        frame.append((right, upper))
    axes.line(frame, Style(line=Ink.MUTED, width=1.2), name, level=2)


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
            axes.shade(begin, end, Style(fill=ink, fill_opacity=shade), f"{name_of}-{number}")
        if width_of(name) + 8 < (end - begin) * second:
            named = ink if ink in (Ink.FAULT, Ink.RESTORING) else Ink.MUTED
            middle = rate.x((begin + end) / 2)
            rate.canvas.text(middle, rate.top_px + 9, name, ink=named, name=f"stage-name-{number}")


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
    areas = []
    for name, ink in (
        ("lost", Ink.LOST),
        ("other", Ink.OTHER),
        ("elsewhere", Ink.ELSEWHERE),
        ("bad", Ink.BAD),
    ):
        values = [float(getattr(column, name)) for column in columns]
        if any(values):
            top = [low + value for low, value in zip(base, values, strict=True)]
            areas.append((base, top, Style(fill=ink, hatched=ink is Ink.BAD), f"attempts-{name}"))
            base = top
    axes.limits(0, max([*base, 1.0]) * 1.22)
    for low, high, style, name in areas:
        axes.area(edges, low, high, style, name)
    axes.scale_values()


def _latency(canvas: Canvas, axes: Axes, columns: Sequence[Column], end_s: float) -> None:
    known = [column.p95_ms for column in columns if column.p95_ms == column.p95_ms]
    axes.limits(0, max(known, default=1.0) * 1.15 or 1.0)
    for name, ink, dashes in (("p50", Ink.INK, ()), ("p95", Ink.FAULT, (4, 2))) if known else ():
        points: list[tuple[float, float] | None] = []
        for column in columns:
            value = float(getattr(column, f"{name}_ms"))
            edges = (column.begin_s, column.begin_s + column.seconds)
            points += [(edge, value) for edge in edges] if value == value else [None]
        axes.line(points, Style(line=ink, width=1.5, dashes=dashes), f"latency-{name}")
    if not known:
        middle = axes.top_px + axes.height_px / 2
        canvas.text(axes.x(end_s / 2), middle, "no attempt was acknowledged", ink=Ink.MUTED)
    axes.scale_values()


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
    for badge in placed:
        number, mark = badge.marks[0]
        name = f"{kind}-{number}"
        canvas.titles[name] = "\n".join(
            f"{number}: {content.seconds(mark.at_s)} {mark.what}" for number, mark in badge.marks
        )
        middle = (badge.lane + 0.5) * _LANE_PX
        stem = badge.x_px * axes.pixel
        axes.line(((stem, 0), (stem, middle)), Style(line=Ink.MUTED, width=0.8), level=1)
        frame = Style(fill=Ink.RAISED, line=_ink_of(mark, report), width=1.4)
        left = (badge.middle_px - badge.width_px / 2) * axes.pixel
        axes.box(left, middle - 8, badge.width_px * axes.pixel, 16, frame, name=name)
        canvas.text(axes.x(badge.middle_px * axes.pixel), axes.y(middle), badge.label)


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
    axes.limits(row * len(rows), 0)
    axes.scale_time(10 if size.names_beside else 5)
    pixel = end_s / size.plot
    for number, each in enumerate(rows):
        _bar(canvas, axes, each, number * row + row - 29, pixel)
    axes.upright(time.objective_s, Style(line=Ink.INK, width=1.6), "objective", 4)
    told = f"objective {content.seconds(time.objective_s)}"
    half = width_of(told, "bold") / 2 * pixel
    x = max(time.objective_s, half - size.left * pixel)
    x = min(x, end_s + size.right * pixel - half)
    canvas.text(axes.x(x), axes.y(-12), told, weight="bold")
    measured = content.maybe(time.measured_s)
    label = f"Recovery: predicted {content.seconds(time.predicted_s)}, measured {measured}, {told}."
    return canvas.svg("recovery", label)


def _bar(canvas: Canvas, axes: Axes, row: _Row, top: float, pixel: float) -> None:
    whole = "never" if row.whole_s is None else content.seconds(row.whole_s)
    size, middle = canvas.size, axes.y(top + 11)
    if size.names_beside:
        canvas.text(size.left - 10, middle, f"{row.name}: {whole}", anchor="end")
    else:
        canvas.text(6, axes.y(top - 10), f"{row.name}: {whole}", anchor="start")
    if row.whole_s is not None:
        axes.box(0, top, row.whole_s, 22, Style(fill=Ink.FAINT), name=f"whole-{row.name}", level=1)
    for number, (phase, begin, seconds) in enumerate(row.parts):
        long = max(seconds, LEAST_PX * pixel)
        axes.box(begin, top, long, 22, Style(fill=_RECOVERING[phase]), name=f"part-{row.name}-{number}")
        told = content.seconds(seconds)
        if width_of(told) + 8 < long / pixel:
            canvas.text(axes.x(begin + long / 2), middle, told, ink=Ink.ON_FILL)


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


def _legend(*entries: tuple[str, str] | tuple[str, str, str]) -> str:
    items = (
        f"<li><i {entry[0]}>{escape(entry[2]) if len(entry) == 3 else ''}</i>{escape(visible(entry[1]))}</li>"
        for entry in entries
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
