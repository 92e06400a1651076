"""Terraform's pure functions, as far as they are cheap and certain. Whatever is in doubt is Unknown.

An argument may hold text with `${…}` in it that nobody knows yet: functions that only put values together
keep it, all others refuse it. Source: Terraform's function reference.
"""

import base64
import binascii
import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping

from payinfra.checks.manifest.json_value import Json, texts_in
from payinfra.checks.manifest.templates import is_literal, spans

_MOST_ITEMS = 10_000
# What ends so is one text: an attribute that is never a list, or more than an expression.
_SCALAR = re.compile(r"(?:[._](?:arn|id|name|uri|url)|\.(?:bucket|domain|key))\}$|[^}]$|^[^$]")
_HOLE = re.compile("\ue000(\\d+)\ue001")


class Unknown(Exception):
    """An expression, or a part of it, that cannot be evaluated here."""


def known(value: Json) -> Json:
    """The value, in which nothing is left to evaluate.

    Raises:
        Unknown: something is.
    """
    if not all(map(is_literal, texts_in(value))):
        raise Unknown
    return value


def as_text(value: Json) -> str:
    """A scalar as Terraform writes it into a template.

    Raises:
        Unknown: it is none.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return json.dumps(value)
        case _:
            raise Unknown


def as_number(value: Json) -> int | float:
    """A number, or a text of digits, which Terraform takes for one.

    Raises:
        Unknown: it is none.
    """
    match value:
        case bool():
            raise Unknown
        case int():
            return value
        case float():
            return int(value) if value.is_integer() else value
        case str():
            try:
                return as_number(json.loads(value))
            except ValueError:
                raise Unknown from None
        case _:
            raise Unknown


def as_flag(value: Json) -> bool:
    """A boolean, or its text.

    Raises:
        Unknown: it is none.
    """
    match value:
        case bool():
            return value
        case "true":
            return True
        case "false":
            return False
        case _:
            raise Unknown


def as_list(value: Json) -> list[Json]:
    """A list. Raises Unknown where it is none."""
    if not isinstance(value, list):
        raise Unknown
    return value


def as_map(value: Json) -> dict[str, Json]:
    """A map or object. Raises Unknown where it is none."""
    if not isinstance(value, dict):
        raise Unknown
    return value


def _literal(value: Json) -> str:
    text = as_text(value)
    if not is_literal(text):
        raise Unknown
    return text


def _index(value: Json) -> int:
    number = as_number(value)
    if not isinstance(number, int):
        raise Unknown
    return number


def _join(separator: Json, *lists: Json) -> Json:
    if not lists:
        raise Unknown
    return _literal(separator).join(as_text(part) for one in lists for part in as_list(one))


def _format(pattern: Json, *values: Json) -> Json:
    if "%v" in _literal(pattern):  # which writes lists too
        known(list(values))
    pieces = _literal(pattern).replace("%v", "%s").split("%s")
    if len(pieces) != len(values) + 1 or any("%" in piece.replace("%%", "") for piece in pieces):
        raise Unknown
    texts = [as_text(value) for value in values]
    plain = [piece.replace("%%", "%") for piece in pieces]
    return plain[0] + "".join(value + piece for value, piece in zip(texts, plain[1:], strict=True))


def _concat(*lists: Json) -> Json:
    return [item for one in lists for item in as_list(one)]


def _merge(*maps: Json) -> Json:
    merged: dict[str, Json] = {}
    for one in maps:
        merged |= {} if one is None else as_map(one)
    return merged


def _distinct(value: Json) -> Json:
    unique: list[Json] = []
    for item in as_list(value):
        if item not in unique:
            unique.append(item)
    return unique


def _flatten(value: Json) -> Json:
    found: list[Json] = []
    for item in as_list(value):
        if isinstance(item, str) and not is_literal(item) and not _SCALAR.search(item):
            raise Unknown  # it may be a list
        found += as_list(_flatten(item)) if isinstance(item, list) else [item]
    return found


def _replace(text: Json, old: Json, new: Json) -> Json:
    pattern = _literal(old)
    # A pattern between slashes is a regular expression of another dialect than Python's.
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        raise Unknown
    return _literal(text).replace(pattern, _literal(new))


def _jsonencode(value: Json) -> Json:
    """As JSON, in which every `${…}` stands as it is written: quotes in it are not of the JSON."""
    holes: list[str] = []

    def marked(part: Json) -> Json:
        match part:
            case str(text):
                pieces: list[str] = []
                position = 0
                for span in spans(text):
                    pieces += [text[position : span.start], f"\ue000{len(holes)}\ue001"]
                    holes.append(text[span.start : span.end])
                    position = span.end
                return "".join((*pieces, text[position:]))
            case list(items):
                return [marked(item) for item in items]
            case dict(fields):
                return {key: marked(item) for key, item in fields.items()}
            case _:
                return part

    text = json.dumps(marked(value), separators=(",", ":"), ensure_ascii=False)
    return _HOLE.sub(lambda found: holes[int(found[1])], text) if holes else text


def _jsondecode(text: Json) -> Json:
    try:
        decoded: Json = json.loads(_literal(text))
    except (ValueError, RecursionError):
        raise Unknown from None
    return decoded


def _length(value: Json) -> Json:
    match value:
        case str():
            return len(_literal(value))
        case list() | dict():
            return len(value)
        case _:
            raise Unknown


def _lookup(of: Json, key: Json, *default: Json) -> Json:
    fields = as_map(of)
    name = _literal(key)
    if name in fields:
        return fields[name]
    if len(default) != 1:
        raise Unknown
    return default[0]


def _element(value: Json, index: Json) -> Json:
    items = as_list(value)
    if not items:
        raise Unknown
    return items[_index(index) % len(items)]


def _coalesce(*values: Json) -> Json:
    for value in values:
        if known(value) not in (None, ""):
            return value
    raise Unknown


def _coalescelist(*lists: Json) -> Json:
    for one in lists:
        if as_list(one):
            return one
    raise Unknown


def _compact(value: Json) -> Json:
    return [item for item in as_list(known(value)) if item not in (None, "")]


def _contains(value: Json, item: Json) -> Json:
    return known(item) in as_list(known(value))


def _keys(value: Json) -> Json:
    return [*sorted(as_map(value))]


def _values(value: Json) -> Json:
    fields = as_map(value)
    return [fields[key] for key in sorted(fields)]


def _one(value: Json) -> Json:
    items = as_list(value)
    if len(items) > 1:
        raise Unknown
    return items[0] if items else None


def _range(*bounds: Json) -> Json:
    numbers = [_index(bound) for bound in bounds]
    if not 1 <= len(numbers) <= 3 or (len(numbers) == 3 and numbers[2] == 0):
        raise Unknown
    found = range(*numbers)
    if len(found) > _MOST_ITEMS:
        raise Unknown
    return list(found)


def _split(separator: Json, text: Json) -> Json:
    mark, whole = _literal(separator), _literal(text)
    return [*(whole.split(mark) if mark else whole)]


def _slice(value: Json, start: Json, end: Json) -> Json:
    return as_list(value)[_index(start) : _index(end)]


def _substr(text: Json, offset: Json, length: Json) -> Json:
    whole, start, size = _literal(text), _index(offset), _index(length)
    start = start + len(whole) if start < 0 else start
    return whole[start:] if size < 0 else whole[start : start + size]


class SetOfValues(list[Json]):
    """What `toset` and its kin make: the key of an item is the item."""


def _toset(value: Json) -> Json:
    unique = as_list(_distinct(value))
    if not all(isinstance(item, str) for item in unique):
        return SetOfValues(unique)
    return SetOfValues(sorted(map(str, unique)))


def _sort(value: Json) -> Json:
    return [*sorted(_literal(item) for item in as_list(value))]


def _setunion(*sets: Json) -> Json:
    return _toset(_concat(*sets))


def _setsubtract(first: Json, second: Json) -> Json:
    gone = as_list(known(second))
    return SetOfValues(item for item in as_list(known(first)) if item not in gone)


def _zipmap(names: Json, values: Json) -> Json:
    keys, items = [_literal(name) for name in as_list(names)], as_list(values)
    if len(keys) != len(items):
        raise Unknown
    return dict(zip(keys, items, strict=True))


def _try(*values: Json) -> Json:
    # Only what is known beyond doubt: an expression that is not may be an error, which means the next one.
    if not values:
        raise Unknown
    return known(values[0])


def _min(*values: Json) -> Json:
    return min(map(as_number, values)) if values else _nothing()


def _max(*values: Json) -> Json:
    return max(map(as_number, values)) if values else _nothing()


def _nothing() -> Json:
    raise Unknown


def _base64decode(text: Json) -> Json:
    try:
        decoded = base64.b64decode(_literal(text), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Unknown from None
    return decoded.replace("${", "$${").replace("%{", "%%{")


def _cidrsubnet(prefix: Json, bits: Json, number: Json) -> Json:
    try:
        network = ipaddress.ip_network(_literal(prefix), strict=False)
        length = network.prefixlen + _index(bits)
        size = 1 << (network.max_prefixlen - length)
        first = int(network.network_address) + _index(number) * size
        found = ipaddress.ip_network((first, length))
    except (ValueError, OverflowError):
        raise Unknown from None
    if not 0 <= _index(number) < 1 << _index(bits):
        raise Unknown
    return str(found)


def _title(text: Json) -> Json:
    return " ".join(word[:1].upper() + word[1:] for word in _literal(text).split(" "))


def _same(value: Json) -> Json:
    return value


FUNCTIONS: Mapping[str, Callable[..., Json]] = {
    "abs": lambda value: abs(as_number(value)),
    "alltrue": lambda value: all(as_flag(known(item)) for item in as_list(value)),
    "anytrue": lambda value: any(as_flag(known(item)) for item in as_list(known(value))),
    "base64decode": _base64decode,
    "base64encode": lambda text: base64.b64encode(_plain(text).encode()).decode(),
    "ceil": lambda value: math.ceil(as_number(value)),
    "chomp": lambda text: _literal(text).rstrip("\r\n"),
    "cidrsubnet": _cidrsubnet,
    "coalesce": _coalesce,
    "coalescelist": _coalescelist,
    "compact": _compact,
    "concat": _concat,
    "contains": _contains,
    "distinct": _distinct,
    "element": _element,
    "endswith": lambda text, end: _literal(text).endswith(_literal(end)),
    "flatten": _flatten,
    "floor": lambda value: math.floor(as_number(value)),
    "format": _format,
    "join": _join,
    "jsondecode": _jsondecode,
    "jsonencode": _jsonencode,
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "lower": lambda text: _literal(text).lower(),
    "max": _max,
    "merge": _merge,
    "min": _min,
    "nonsensitive": _same,
    "one": _one,
    "range": _range,
    "replace": _replace,
    "reverse": lambda value: as_list(value)[::-1],
    "sensitive": _same,
    "setsubtract": _setsubtract,
    "setunion": _setunion,
    "slice": _slice,
    "sort": _sort,
    "split": _split,
    "startswith": lambda text, start: _literal(text).startswith(_literal(start)),
    "substr": _substr,
    "title": _title,
    "tobool": lambda value: as_flag(known(value)),
    "tolist": lambda value: as_list(value),
    "tomap": lambda value: as_map(value),
    "tonumber": lambda value: as_number(known(value)),
    "toset": _toset,
    "tostring": as_text,
    "trim": lambda text, cut: _literal(text).strip(_literal(cut)),
    "trimprefix": lambda text, start: _literal(text).removeprefix(_literal(start)),
    "trimspace": lambda text: _literal(text).strip(),
    "trimsuffix": lambda text, end: _literal(text).removesuffix(_literal(end)),
    "try": _try,
    "upper": lambda text: _literal(text).upper(),
    "values": _values,
    "zipmap": _zipmap,
}


def _plain(text: Json) -> str:
    return _literal(text).replace("$${", "${").replace("%%{", "%{")


def call(name: str, arguments: list[Json]) -> Json:
    """The value of a function.

    Args:
        name: one of FUNCTIONS.
        arguments: its arguments, in order.

    Raises:
        Unknown: it is not certain what it gives.
    """
    try:
        return FUNCTIONS[name](*arguments)
    except TypeError:  # another number of arguments than the function takes
        raise Unknown from None
