"""A drill's report as one HTML page that needs nothing else: no script, no network, no other file.

Light or dark as the reader's system is; every colour is a variable that the drawings use as well. The page is
the template `page.html.j2`. It escapes every text; the drawings and the stylesheet alone are markup, and the
drawings escape what they hold.
"""

from collections.abc import Iterator
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

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
    return _template().render(
        report=report,
        content=content,
        kind=kind_of(report),
        figures=tuple(_figures(report)),
        reasons=content.why(report),
        recovery=map(Markup, figure.recovery(report)),
        timeline=map(Markup, figure.timeline(report)),
        class_of=_class,
        kinds=_KINDS,
        policy=POLICY,
        stylesheet=Markup(STYLE),  # noqa: S704 - a constant
    )


def text(value: str) -> str:
    """A text in which HTML sees nothing but text."""
    return str(escape(visible(value)))


@cache
def _template() -> Template:
    """The page's template; reading it takes longer than filling it."""
    environment = Environment(
        loader=PackageLoader("payinfra.report.drill", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        keep_trailing_newline=True,
    )
    return environment.get_template("page.html.j2")


def _shown(value: object) -> object:
    """What stands in the page for a value: markup as it is, any other text with nothing unseen in it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


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


def _class(section: content.Section, number: int, cell: str = "") -> Markup:
    names = ["figure"] if number in section.figures else []
    if cell in _SET_APART:
        names.append(_SET_APART[cell])
    if len(cell) > LONG:
        names.append("long")
    return Markup(' class="{}"').format(" ".join(names)) if names else Markup()
