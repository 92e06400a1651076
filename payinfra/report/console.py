"""The console that payinfra draws with: whatever a renderer hands it, no text moves the terminal."""

from collections.abc import Iterable
from typing import NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from payinfra.report.printable import visible_lines

_SEPARATORS = ("\n", "\t")
"""What our own renderers put between lines and between cells, as segments of their own."""


class SafeConsole(Console):
    """A console on which a text is only a text, as long as rich's own sequences come as control segments.

    A text that a renderer has made visible already passes as it is.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of something, all foreign characters in them written as escapes."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable() or segment.text in _SEPARATORS:
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)

    def on_broken_pipe(self) -> NoReturn:
        """Let the command decide what it means that nobody reads any more; rich would exit with 1.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError
