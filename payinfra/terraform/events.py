"""Reads Terraform's stream of JSON messages and turns it into payinfra's events and typed values.

Terraform's documentation calls the messages "machine-readable UI" (version 1.x): one JSON object a line, told
apart by `type`. Other lines (a warning about the CLI configuration, a crash) are kept for the error message.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from payinfra.core.events import Action, Emit, ResourceFailed, ResourceFinished, ResourceStarted
from payinfra.terraform.jsonvalue import JsonValue, at, items, members, number, parse_object, text
from payinfra.terraform.plan import ChangeAction, OutputChange, ResourceChange

KEPT_LINES = 20
STATE_DUMP = "Emergency state dump"
SNIPPET = "snippet"
"""The key of what a diagnostic quotes."""
_QUOTED_STACK = re.compile(r"^([\s│|]*\d+: )\{.*")
Message = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Diagnostic:
    """An error or a warning from Terraform; `address` is the resource it is about, often empty."""

    severity: str
    summary: str
    detail: str = ""
    address: str = ""

    @property
    def is_error(self) -> bool:
        """Whether it made the command fail."""
        return self.severity == "error"

    @property
    def sentence(self) -> str:
        """Address, summary and detail on one line."""
        where = f"{self.address}: " if self.address else ""
        detail = " ".join(self.detail.split())
        return f"{where}{' '.join(self.summary.split())}{': ' if detail else ''}{detail}"


@dataclass(frozen=True)
class OutputValue:
    """An output of the stack. `type` is Terraform's type constraint as JSON.

    A sensitive one that comes from the stream has no value; its repr never shows one.
    """

    value: JsonValue = field(repr=False)
    sensitive: bool
    type: JsonValue


@dataclass(frozen=True)
class Counts:
    """Terraform's own count of what a plan or an apply does."""

    add: int = 0
    change: int = 0
    destroy: int = 0


@dataclass
class Collected:
    """What one command's stream said, gathered line by line."""

    counts: Counts = field(default_factory=Counts)
    changes: list[ResourceChange] = field(default_factory=list)
    drift: list[ResourceChange] = field(default_factory=list)
    output_changes: list[OutputChange] = field(default_factory=list)
    outputs: dict[str, OutputValue] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    other_lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    in_progress: dict[str, Action] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that made the command fail, each once."""
        return tuple(dict.fromkeys(found for found in self.diagnostics if found.is_error))


def diagnostic(value: JsonValue) -> Diagnostic:
    """A diagnostic object of Terraform's. Its snippet is left out: it may quote the configuration."""
    return Diagnostic(
        severity=text(value, "severity"),
        summary=text(value, "summary"),
        detail=text(value, "detail"),
        address=text(value, "address"),
    )


def output_values(value: Mapping[str, JsonValue]) -> dict[str, OutputValue]:
    """Outputs as ``output -json`` and the stream of an apply print them."""
    return {
        name: OutputValue(at(one, "value"), at(one, "sensitive") is True, at(one, "type"))
        for name, one in value.items()
    }


def without_quotes(line: str) -> str:
    """A line of Terraform's output without what it quotes of the configuration.

    The stack of one region alone holds values of the state, such as the API key, and is one line of JSON: a
    quote of it is all of it.
    """
    if SNIPPET not in line:
        return _QUOTED_STACK.sub(r"\1", line)
    message = parse_object(line) or {}
    told = {**members(message, "diagnostic")}
    if told.pop(SNIPPET, None) is None:
        return line
    return json.dumps({**message, "diagnostic": told}, ensure_ascii=False)


def dumped_state(line: str) -> str:
    """The state in a line of output, which Terraform prints when it can save it nowhere; empty in all others.

    Source: Terraform 1.11, `internal/command/views/operation.go`, `EmergencyDumpState`.
    """
    if STATE_DUMP not in line:
        return ""
    state = at(parse_object(line), "state")
    return json.dumps(state) if isinstance(at(state, "lineage"), str) else ""


class EventReader:
    """Takes the stream line by line: emits what a watcher wants to see, keeps the rest in `collected`."""

    def __init__(self, emit: Emit) -> None:
        self.collected = Collected()
        self._emit = emit
        self._since: dict[str, datetime] = {}
        self._handlers: Mapping[str, Callable[[Message], None]] = {
            "apply_start": self._started,
            "apply_complete": self._finished,
            "apply_errored": self._failed,
            "refresh_start": self._started,
            "refresh_complete": self._finished,
            "planned_change": lambda message: self._change(message, self.collected.changes),
            "resource_drift": lambda message: self._change(message, self.collected.drift),
            "change_summary": self._counted,
            "outputs": self._outputs,
            "diagnostic": self._diagnosed,
        }

    def feed(self, line: str) -> None:
        """Take one line of output."""
        message = parse_object(line)
        if message is None:
            if line.strip():
                self.collected.other_lines.append(line.rstrip())
            return
        handle = self._handlers.get(text(message, "type"))
        if handle:
            handle(message)

    def _started(self, message: Message) -> None:
        address, action = _subject(message)
        self.collected.in_progress[address] = action
        moment = _moment(message)
        if moment:
            self._since[address] = moment
        self._emit(ResourceStarted(address, action))

    def _finished(self, message: Message) -> None:
        address, action = _subject(message)
        self.collected.in_progress.pop(address, None)
        self._emit(ResourceFinished(address, action, self._seconds(address, message)))

    def _failed(self, message: Message) -> None:
        address, action = _subject(message)
        self.collected.in_progress.pop(address, None)
        self._emit(ResourceFailed(address, action))

    def _seconds(self, address: str, message: Message) -> float:
        """From the timestamps, which are finer than Terraform's own whole seconds."""
        start, end = self._since.pop(address, None), _moment(message)
        if start and end:
            return max(0.0, (end - start).total_seconds())
        return float(number(message, "hook", "elapsed_seconds"))

    def _change(self, message: Message, into: list[ResourceChange]) -> None:
        action = ChangeAction.of(text(message, "change", "action"))
        if action is not ChangeAction.NOOP:
            into.append(
                ResourceChange(
                    address=text(message, "change", "resource", "addr"),
                    type=text(message, "change", "resource", "resource_type"),
                    action=action,
                    reason=text(message, "change", "reason"),
                    import_id=text(message, "change", "importing", "id"),
                )
            )

    def _counted(self, message: Message) -> None:
        counts = at(message, "changes")
        self.collected.counts = Counts(
            number(counts, "add"), number(counts, "change"), number(counts, "remove")
        )

    def _outputs(self, message: Message) -> None:
        found = members(message, "outputs")
        changed = {
            name: ChangeAction.of(text(one, "action")) for name, one in found.items() if text(one, "action")
        }
        self.collected.output_changes = [
            OutputChange(name, action, at(found[name], "sensitive") is True)
            for name, action in changed.items()
            if action is not ChangeAction.NOOP
        ]
        self.collected.outputs = output_values(
            {name: one for name, one in found.items() if name not in changed}
        )

    def _diagnosed(self, message: Message) -> None:
        self.collected.diagnostics.append(diagnostic(at(message, "diagnostic")))


def validation(value: JsonValue) -> tuple[Diagnostic, ...]:
    """The diagnostics in the answer of ``validate -json``."""
    return tuple(diagnostic(one) for one in items(value, "diagnostics"))


def _subject(message: Message) -> tuple[str, Action]:
    word = text(message, "hook", "action")
    known = word in Action._value2member_map_
    return text(message, "hook", "resource", "addr"), Action(word) if known else Action.READ


def _moment(message: Message) -> datetime | None:
    try:
        return datetime.fromisoformat(text(message, "@timestamp"))
    except ValueError:
        return None
