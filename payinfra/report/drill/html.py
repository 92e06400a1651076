"""A drill's report as one HTML page that needs nothing else: no script, no network, no other file.

Light or dark as the reader's system is; every colour is a variable that the drawings use as well.
"""

from collections.abc import Iterator
from html import escape

from payinfra.drill.model import DrillReport, Judgement, PaymentOutcome
from payinfra.drill.report_store import kind_of
from payinfra.report.drill import content, figure
from payinfra.report.drill.style import STYLE
from payinfra.report.printable import visible

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever a text in the report might be: a browser loads nothing and runs nothing."""
LONG = 12
"""Characters from which a cell is given some width, however narrow the window: its table can be scrolled."""
_KINDS = {
    Judgement.PASSED: "pass",
    Judgement.FAILED: "fail",
    Judgement.INCONCLUSIVE: "doubt",
}
_SET_APART = {"MISSED": "fail", "LEFT": "fail", "met": "pass"}


def render(report: DrillReport) -> str:
    """The page."""
    title = f"Failover drill of {report.env}: {content.headline(report)}"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{text(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *_head(report),
            *(part for section in content.overview(report) for part in _section(section)),
            *_recovery(report),
            *_timeline(report),
            *(part for section in content.sections(report) for part in _section(section)),
            *(part for section in content.moments(report) for part in _section(section)),
            *_next(report),
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


def text(value: str) -> str:
    """A text in which HTML sees nothing but text."""
    return escape(visible(value))


def _head(report: DrillReport) -> Iterator[str]:
    yield "<header>"
    yield f"<h1>Failover drill of {text(report.env)}</h1>"
    yield (
        f'<p class="sub">{text(kind_of(report))} on {text(report.target)}, '
        f"{report.began:%Y-%m-%d %H:%M:%S} UTC, {content.seconds(report.seconds)}</p>"
    )
    yield '<div class="cards">'
    yield _verdict("resilience", report.resilience)
    yield _verdict("restoration", report.restored)
    for name, value, note in _figures(report):
        yield (
            f'<div class="card"><span class="name">{text(name)}</span>'
            f'<span class="value">{text(value)}</span><span class="note">{text(note)}</span></div>'
        )
    yield "</div>"
    if reasons := content.why(report):
        yield '<ul class="why">'
        yield from (f"<li>{text(reason)}</li>" for reason in reasons)
        yield "</ul>"
    yield "</header>"


def _verdict(name: str, verdict: Judgement) -> str:
    kind = _KINDS[verdict]
    return (
        f'<div class="card {kind}"><span class="name">{name}</span>'
        f'<span class="value">{verdict.value}</span></div>'
    )


def _figures(report: DrillReport) -> Iterator[tuple[str, str, str]]:
    time, found = report.recovery, report.reconciliation
    if content.recovers(report):
        beside = f"predicted {content.seconds(time.predicted_s)}, allowed {content.seconds(time.objective_s)}"
        served = "never" if time.measured_s is None else content.seconds(time.measured_s)
        yield "recovery time", served, beside
    if found is None:
        yield "payments lost", "unknown", "they were not read back"
    else:
        yield "payments lost", str(found.count(PaymentOutcome.LOST)), f"of {found.acknowledged} acknowledged"
    yield (
        "availability",
        content.share(report.load.availability),
        f"longest gap {content.seconds(report.load.longest_gap_s)}",
    )


def _recovery(report: DrillReport) -> Iterator[str]:
    if content.recovers(report):
        yield '<section class="drawn">'
        yield "<h2>Recovery, predicted and measured</h2>"
        yield from figure.recovery(report)
        yield "</section>"


def _timeline(report: DrillReport) -> Iterator[str]:
    yield '<section class="drawn">'
    yield "<h2>Timeline</h2>"
    yield from figure.timeline(report)
    yield "</section>"


def _section(section: content.Section) -> Iterator[str]:
    yield "<section>"
    yield f"<h2>{text(section.title)}</h2>"
    if section.rows:
        yield '<div class="wide"><table>'
        if any(section.columns):
            cells = "".join(
                f"<th{_class(section, number)}>{text(column)}</th>"
                for number, column in enumerate(section.columns)
            )
            yield f"<thead><tr>{cells}</tr></thead>"
        yield "<tbody>"
        yield from (_row(section, row) for row in section.rows)
        yield "</tbody></table></div>"
    yield from (f"<p>{text(sentence)}</p>" for sentence in section.sentences)
    yield "</section>"


def _row(section: content.Section, row: tuple[str, ...]) -> str:
    return (
        "<tr>"
        + "".join(f"<td{_class(section, number, cell)}>{text(cell)}</td>" for number, cell in enumerate(row))
        + "</tr>"
    )


def _class(section: content.Section, number: int, cell: str = "") -> str:
    names = ["figure"] if number in section.figures else []
    if cell in _SET_APART:
        names.append(_SET_APART[cell])
    if len(cell) > LONG:
        names.append("long")
    return f' class="{" ".join(names)}"' if names else ""


def _next(report: DrillReport) -> Iterator[str]:
    yield "<section><h2>Next</h2>"
    for command, purpose in content.next_steps(report):
        yield f"<p>{text(purpose)}</p><pre>{text(command)}</pre>"
    yield "</section>"
