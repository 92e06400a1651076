"""No text, wherever it came from, is more than a text in anything that payinfra writes.

Every renderer is found by its signature and is given values in which every text is hostile, so that one that
is added later is held to the same.
"""

import collections.abc
import dataclasses
import enum
import importlib
import inspect
import itertools
import json
import logging
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any, TextIO, cast

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

import payinfra
from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Severity
from payinfra.core.errors import GateFailed, PayinfraError
from payinfra.core.events import Event
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.core.streams import TolerantStream, any_error, write_commands
from payinfra.report import job_summary, progress
from payinfra.report import log as log_module
from payinfra.report.console import SafeConsole
from payinfra.report.findings import rendering
from payinfra.report.formats import DrillFormat, FindingsFormat, LogFormat
from payinfra.report.printable import json_text, terminal_text
from tests.support.outputs import flat_outputs

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas"
CONTROLS = "\x00\x07\x08\x1b[2J\x1b]0;owned\x07\x7f\x9b31m\x85\r"
MARKS = "\u200b\u200e\u202a\u202e\u2066\u2069\u2028\ufeff\U000e0041"
HOSTILE = (
    f"x{CONTROLS}{MARKS}\n::error::owned\n  ::add-mask::x\n##[error]owned"
    "<script>alert(1)</script> | @octocat ![a](javascript:b) `c` [red]d[/red]"
)


# ---- values of any type ---------------------------------------------------------------------------------


UNSEEN = ("payinfra.stacks", "payinfra.local.server", "payinfra.pytest_plugin", "payinfra.__main__")
SHAPED = {
    ("Rule", "id"): "PI-S3-001",
    ("CiRole", "trust"): json.dumps({HOSTILE: HOSTILE}),
    ("ManagedPolicy", "document"): json.dumps({HOSTILE: HOSTILE}),
    ("DrillReport", "took_over"): f"{HOSTILE}2",
}
"""Fields of which the classes themselves, or AWS, demand a form."""


def classes() -> dict[str, Any]:
    """Every class of payinfra's by its name, of which there is one in the whole tree."""
    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(payinfra.__path__, "payinfra."):
        # Locust, which the users of a load worker are made of, changes the process that imports it.
        if module.name.startswith(
            (
                *("payinfra.stacks", "payinfra.local.server", "payinfra.pytest", "payinfra.__"),
                "payinfra.drill.load.locust_users",
            )
        ):
            continue
        found |= {
            name: value
            for name, value in vars(importlib.import_module(module.name)).items()
            if not name.startswith("__")
        }
    return found


NAMES = classes()


def hints(of: Any) -> dict[str, Any]:
    return typing.get_type_hints(of, vars(sys.modules[of.__module__]), NAMES)


def hostile(kind: Any) -> Any:
    """A value of a type, with nothing but hostile texts in it."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Settings:
        return Settings.resolve({"env": "pr1"}, environ={})
    if kind is Outputs:
        return Outputs.from_flat(flat_outputs(primary_region="us-east-1", secondary_region="us-west-2"))
    if origin is typing.Annotated:
        return hostile(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return hostile(next(one for one in arguments if one is not type(None)))
    if origin is typing.Literal:
        return arguments[0]
    if origin is tuple:
        several = arguments[:1] * 2 if arguments[-1] is ... else arguments
        return tuple(hostile(one) for one in several)
    if origin in (list, set, frozenset):
        return origin([hostile(arguments[0])])
    if origin in (collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection):
        return [hostile(arguments[0])]
    if origin in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
        return {hostile(arguments[0]): hostile(arguments[1])}
    if origin is collections.abc.Callable:
        return lambda *_args, **_more: hostile(arguments[1])
    return _plain(kind)


_SECONDS = itertools.count(1.5)


def _plain(kind: Any) -> Any:
    simple = {
        str: HOSTILE,
        object: HOSTILE,
        Any: HOSTILE,
        int: 3,
        bool: False,
        bytes: HOSTILE.encode(),
        datetime: datetime(2026, 1, 1, tzinfo=UTC),
        date: date(2026, 1, 1),
        Path: Path(HOSTILE.replace("\0", "")),
    }
    if kind is float:
        return next(_SECONDS)  # moments that follow one another
    if kind in simple:
        return simple[kind]
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    if issubclass(kind, PayinfraError):
        return GateFailed(HOSTILE, HOSTILE)
    if dataclasses.is_dataclass(kind):
        known = hints(kind)
        fields = {one.name: known[one.name] for one in dataclasses.fields(kind) if one.init}
        return cast(Any, kind)(
            **{
                name: SHAPED.get((str(getattr(kind, "__name__", "")), name)) or hostile(of)
                for name, of in fields.items()
            }
        )
    if issubclass(kind, BaseModel):
        fields = {name: one.annotation for name, one in kind.model_fields.items()}
        return kind.model_construct(**{name: hostile(of) for name, of in fields.items()})
    raise TypeError(f"no hostile value of {kind} is known here; add one")


# ---- where it is written --------------------------------------------------------------------------------


def written(draw: Callable[[Console], object]) -> str:
    """What is on stdout after something was drawn on the program's console there."""
    paper = StringIO()
    stdout = cast(TextIO, TolerantStream(paper, any_error, terminal_text))
    draw(SafeConsole(file=stdout, width=140, force_terminal=False))
    return paper.getvalue()


def is_only_text(text: str) -> None:
    strange = {one for one in text if not one.isprintable() and one not in "\n\t"}
    assert strange == set(), f"{strange!r} in {text!r}"
    commands = [line for line in text.split("\n") if line.strip().startswith("::") or "##[" in line]
    assert commands == []


def renderers() -> Iterator[Any]:
    """Every function of the reports that draws on a console."""
    package = importlib.import_module("payinfra.report")
    for module in pkgutil.walk_packages(package.__path__, "payinfra.report."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            drawn = function.__module__ == module.name and not name.startswith("_")
            first = next(iter(inspect.signature(function).parameters.values()), None)
            if drawn and first is not None and first.name == "console" and name not in ELSEWHERE:
                yield pytest.param(function, id=f"{module.name.removeprefix('payinfra.report.')}.{name}")


ELSEWHERE = frozenset(("plain", "live", "watching", "notices"))
"""Views of what happens, which are held to the same below."""


def formats(kind: Any) -> list[Any]:
    return list(kind) if isinstance(kind, type) and issubclass(kind, enum.Enum) else [None]


@pytest.mark.parametrize("function", list(renderers()))
def test_every_renderer_writes_nothing_but_text(function: Any) -> None:
    known = hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    kinds = {one.name: known[one.name] for one in parameters if one.kind is not one.VAR_POSITIONAL}
    chosen = next((name for name in ("fmt", "how") if name in kinds), None)
    for form in formats(kinds[chosen]) if chosen else [None]:
        if form is FindingsFormat.GITHUB:
            continue  # annotations are commands, and are held to their own rules
        values = {name: form if name == chosen else hostile(kind) for name, kind in kinds.items()}
        more = [Text(HOSTILE)] if len(kinds) < len(parameters) else []
        said = written(lambda console: function(console, *more, **values))  # noqa: B023 - called at once
        is_only_text(said)
        if form is not None and form.value in ("markdown", "html") and function.__name__ == "write":
            no_markup(said, mentions=form.value == "markdown")
        if form is not None and form.value == "json":
            if chosen and kinds[chosen] in (FindingsFormat, DrillFormat) and function.__name__ == "write":
                assert json.loads(said)[
                    "version"
                ]  # the texts of both are held to forms, by tests of their own
            else:
                follows_its_schema(said, function.__name__)


def follows_its_schema(said: str, function: str) -> None:
    """Each document is of a published kind and version, and has the shape that is published of it."""
    if function == "variables":  # they are all that is in it
        return
    lines = said.splitlines() if function == "events" else [said]
    found = [one for line in lines for one in as_list(json.loads(line))]
    assert found
    for document in found:
        name = document["schema"].removeprefix("payinfra/")
        published = json.loads((PUBLISHED / f"{name}.json").read_text(encoding="utf-8"))
        jsonschema.validate(document, published)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def no_markup(text: str, *, mentions: bool = True) -> None:
    """Neither HTML nor a mention of the hostile text is alive; in code, nothing is."""
    alive = re.sub(r"`[^`\n]*`", "", text)
    assert "<script>alert(1)" not in alive
    assert not mentions or "@octocat" not in alive


@pytest.mark.parametrize("event", typing.get_args(Event))
@pytest.mark.parametrize("view", [progress.plain, progress.live, progress.watching])
def test_every_event_is_only_text(event: Any, view: Any) -> None:
    def draw(console: Console) -> None:
        with view(console) as watch:
            watch.emit(hostile(event))

    is_only_text(written(draw))


def test_log_lines_are_only_text() -> None:
    for how in LogFormat:
        lines: list[str] = []
        json_lines = log_module.JsonLines(environ={}, write=lines.append)
        json_lines.problem(GateFailed(HOSTILE, HOSTILE))
        handler = log_module.Verbose(json_lines, how)
        handler.handle(logging.LogRecord("payinfra.x", 10, "f", 1, HOSTILE, (), None))
        for line in lines:
            is_only_text(terminal_text(line, is_terminal=False))
            assert "\x1b" not in terminal_text(line, is_terminal=True)


def test_summaries_call_nobody_and_hold_no_markup() -> None:
    error = GateFailed(HOSTILE, HOSTILE)
    outcome = hostile(Outcome)
    for text in (
        job_summary.failed("pr1", error),
        rendering.text(outcome, FindingsFormat.MARKDOWN, Severity.LOW),
    ):
        strange = {one for one in text if not one.isprintable() and one != "\n"}
        assert strange == set()
        no_markup(text)


def test_annotations_are_one_command_a_finding() -> None:
    outcome = hostile(Outcome)
    text = rendering.text(outcome, FindingsFormat.GITHUB, Severity.LOW)
    lines = text.splitlines()
    assert len(lines) == len(outcome.failing(Severity.LOW))
    assert all(line.startswith("::error ") for line in lines)
    paper = StringIO()
    write_commands(cast(TextIO, TolerantStream(paper, any_error, terminal_text)), text)
    assert paper.getvalue() == text


@given(
    st.text(alphabet=st.one_of(st.characters(), st.sampled_from(f"{CONTROLS}{MARKS}:#[\n\t "))), st.booleans()
)
def test_no_text_at_all_gets_through_a_stream(text: str, is_terminal: bool) -> None:
    shown = terminal_text(text, is_terminal=is_terminal)
    if is_terminal:
        for sequence in ("\x1b[m", "\r"):
            shown = shown.replace(sequence, "")
    is_only_text(terminal_text(shown, is_terminal=False))
    assert terminal_text(shown, is_terminal=is_terminal) == shown


@pytest.mark.parametrize(
    "sequence", ["\x1b[2J", "\x1b]0;t\x07", "\x1b]8;;u\x1b\\", "\x1bc", "\x1b[?1049h", "\x9b2J"]
)
def test_a_terminal_gets_no_sequence_but_those_that_rich_draws_with(sequence: str) -> None:
    assert "\x1b" not in terminal_text(f"a{sequence}b", is_terminal=True).replace("\\x1b", "")
    assert "\x9b" not in terminal_text(f"a{sequence}b", is_terminal=True)


def test_colours_and_a_view_that_is_drawn_anew_stay() -> None:
    paper = StringIO()
    console = SafeConsole(
        file=paper, width=80, force_terminal=True, color_system="standard", legacy_windows=False
    )
    with console.status("working"):
        console.print(Text("red", style="bold red"))
    drawn = paper.getvalue()
    assert "\x1b[1;31mred\x1b[0m" in drawn
    assert terminal_text(drawn, is_terminal=True) == drawn


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner) | st.dictionaries(st.text(), inner)


@given(st.recursive(st.none() | st.floats(allow_nan=False) | st.text(), nested))
def test_json_means_the_same(value: object) -> None:
    text = json_text([value, "##[error]"])
    assert json.loads(text) == [value, "##[error]"]
    is_only_text(text)


@pytest.mark.parametrize("sequence", ["\x1b[1A", "\x1b[2K", "\x1b[31m", "\x1b[?25l", "\x9b2J", "\u202e"])
def test_what_rich_may_draw_with_is_only_text_within_a_text(sequence: str) -> None:
    paper = StringIO()
    console = SafeConsole(file=paper, width=80, force_terminal=True, color_system=None, legacy_windows=False)
    console.print(Text(f"before{sequence}after"))
    is_only_text(paper.getvalue())
