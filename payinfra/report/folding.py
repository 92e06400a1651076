"""Sentences on a terminal: folded between words, so that what may be copied stays whole."""

import re

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_WORD = re.compile(r"(\s*)((?:`[^`]*`|\S)+)")
"""A word with the space before it. A command between backticks is one word, with whatever touches it."""


class FoldedText:
    """A text that a terminal shows folded between words. In a pipe it is as it is.

    A word that is longer than the terminal, such as an address, gets a line of its own and is not broken: the
    terminal may fold it.

    Args:
        text: what is shown; its line ends stay.
        indent: the cells by which a folded line is moved in; by default, as its first line is.
    """

    def __init__(self, text: Text, indent: int | None = None) -> None:
        self.text = text
        self.indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.split("\n", allow_blank=True):
            for part in folded(line, options.max_width, self.indent) if console.is_terminal else (line,):
                part.no_wrap, part.overflow = True, "ignore"
                yield part


def folded(line: Text, width: int, indent: int | None = None) -> list[Text]:
    """A line as those that fit into so many cells, but for words that do not fit into any.

    Args:
        line: a text without line ends.
        width: cells of the terminal.
        indent: as for `FoldedText`.
    """
    first = len(line.plain) - len(line.plain.lstrip())
    wanted = first if indent is None else indent
    deep = min(wanted, width // 2)
    begins, column = list[int](), 0
    for found in _WORD.finditer(line.plain):
        space, word = map(cell_len, found.groups())
        fits = column + space + word <= width
        # After what is before the indent, such as a row's name, nothing is won by a new line.
        if not fits and column + space > max(wanted, first):
            begins.append(found.start(2))
            column = deep + word
        else:
            column += space + word
    head, *rest = line.divide(begins)
    for part in rest:
        part.pad_left(deep)
    for part in (head, *rest):
        part.rstrip()
    return [head, *rest]
