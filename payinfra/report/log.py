"""Log lines on stderr: JSON, an object a line, or text; and what `--verbose` adds to either.

Every line has the time in UTC, the run's id, a level and the name of what happened. Credentials of the
environment are hidden in every line, whoever wrote it.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from payinfra.core.errors import PayinfraError
from payinfra.core.events import Event, Notice, ResourceFailed
from payinfra.core.run_id import run_id
from payinfra.report.formats import LOG_FORMAT_VARIABLE, QUIET_VARIABLE, LogFormat
from payinfra.report.printable import visible
from payinfra.terraform.environment import hide, secrets

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = "payinfra"
"""The logger that modules below payinfra log to; what they say is shown with `--verbose`."""

Write = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Write a line to whatever stderr is at that moment: a live view on a terminal takes its place."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one place where log lines are written


def log_format(environ: Mapping[str, str] = os.environ) -> LogFormat:
    """How the conversation on stderr is written."""
    return LogFormat.JSON if environ.get(LOG_FORMAT_VARIABLE) == LogFormat.JSON else LogFormat.TEXT


def is_quiet(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether nothing is to be told but results, questions and errors."""
    return bool(environ.get(QUIET_VARIABLE))


@dataclass(frozen=True)
class JsonLines:
    """Writes what happens as JSON, an object a line."""

    environ: MutableMapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    write: Write = to_stderr
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def line(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        """One line. In ASCII, so that no field can move a terminal or end the line."""
        head = {
            "time": self.now().isoformat(timespec="milliseconds"),
            "run": run_id(self.environ),
            "level": level,
            "event": event,
        }
        self.write(hide(json.dumps({**head, **fields}, default=str), secrets(self.environ)))

    def event(self, event: Event) -> None:
        """An event of the pipeline."""
        level = "error" if isinstance(event, ResourceFailed) else "info"
        self.happened(event, "warning" if isinstance(event, Notice) else level)

    def happened(self, event: "DataclassInstance", level: str = "info") -> None:
        """Any event that is a dataclass, named after its kind, with its fields."""
        self.line(level, _snake(type(event).__name__), asdict(event))

    def problem(self, error: PayinfraError) -> None:
        """The failure that ends the command."""
        self.line(
            "error",
            "failed",
            {"what": error.what, "next": error.hint, "exit_code": int(error.exit_code)},
        )


class Verbose(logging.Handler):
    """Shows what modules log, in the format that everything else has."""

    def __init__(self, lines: JsonLines, how: LogFormat) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        self._how = how

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        message = record.getMessage()
        if self._how is LogFormat.JSON:
            self._lines.line(record.levelname.lower(), "log", {"logger": record.name, "message": message})
        else:
            at = self._lines.now().strftime("%H:%M:%S.%f")[:-3]
            text = hide(message, secrets(self._lines.environ))
            self._lines.write(f"  {at} {visible(text)}")


@contextmanager
def logging_to(handler: logging.Handler) -> Iterator[None]:
    """Hand everything that modules of payinfra log to the handler, for as long as the block runs."""
    logger = logging.getLogger(ROOT)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
