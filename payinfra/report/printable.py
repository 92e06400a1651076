"""Makes every character of a foreign text visible: a name must not move a cursor or reverse a line."""


def visible(text: str) -> str:
    """The text with control, format and surrogate characters (and line ends) written as escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "\n".join(visible(line.replace("\t", "    ")) for line in text.split("\n"))


def _escaped(character: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if short:
        return short
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
