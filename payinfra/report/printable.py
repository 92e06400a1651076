"""Makes every character of a foreign text visible: a name must not move a cursor or reverse a line.

Three borders use it, so that no renderer has to: `terminal_text` is what the program's own streams pass (see
`payinfra.core.streams`), `SafeConsole` what rich draws, and `json_text` what is written as JSON.
"""

import json
import re


def visible(text: str) -> str:
    """The text with control, format and surrogate characters (and line ends) written as escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(visible(line.replace("\t", "    ")) for line in text.split("\n"))


def terminal_text(text: str, *, is_terminal: bool) -> str:
    """A text as it may be written to a standard stream, whoever made it.

    Line ends and tabs stay, and on a terminal the few sequences that rich draws with: colours, and those of a
    view that is drawn anew in place. What is a command to GitHub Actions in a job's log is none any more.

    Args:
        text: what is written.
        is_terminal: whether a terminal shows it.
    """
    if is_terminal:
        parts = _DRAWING.split(text)
        shown = "".join(part if number % 2 else _lines(part) for number, part in enumerate(parts))
    else:
        shown = _lines(text)
    return _COMMAND.sub(_defused, shown)


def json_text(value: object, *, indent: int | None = 2) -> str:
    """A JSON document that means the same, with everything escaped that is not to be seen."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return no_command(_UNSEEN.sub(_json_escape, text))


def no_command(document: str) -> str:
    """A JSON document that means the same, in which no workflow command is."""
    return document.replace("##[", "#\\u0023[")


def _json_escape(found: re.Match[str]) -> str:
    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _lines(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else _escaped(one) for one in text)


def _defused(found: re.Match[str]) -> str:
    return f"{found[0][0]} {found[0][1:]}" if found[0].startswith("#") else f"{found[1]}: :"


_DRAWING = re.compile(r"(\x1b\[[0-9;]*[mAK]|\x1b\[\?25[lh]|\r)")
"""Select Graphic Rendition, cursor up, erase in line; hide and show the cursor; the begin of the line."""
_COMMAND = re.compile(r"##\[|^([ \t]*)::", re.MULTILINE)
"""Both forms of a workflow command, as the runner's ActionCommand.cs reads them."""
_UNSEEN = re.compile(r"[^\n -~]")


def _escaped(character: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if short:
        return short
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
