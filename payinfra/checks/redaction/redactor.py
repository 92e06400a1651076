"""Gathers the secrets of a stack, and takes them out of what is said about it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from payinfra.checks.manifest import Json, Manifest, Resource, is_literal, parsed
from payinfra.checks.secret_recognition import (
    names_secret,
    secrets_within,
    sensitive_attributes,
    without_looks,
)

HIDDEN = "(sensitive value)"
_SHORT = 4
_WORD = 12
_NEVER = frozenset({"", "*", "true", "false", "null", "none", "String", "StringList", "SecureString"})
_ARN = re.compile(r"arn:[\w-]+:[\w-]*:[\w-]*:\d*:.*")
_NAME_KEYS = ("name", "key", "Name", "Key", "parameter_name")
_VALUE_KEYS = ("value", "Value", "parameter_value", "value_wo")


class Redactor:
    """Knows the secrets of some stacks.

    Args:
        values: texts that are secrets.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(_worth_hiding(values))

    @classmethod
    def of(cls, manifest: Manifest) -> "Redactor":
        """Everything in a stack that may be a secret."""
        return cls(_Harvest(manifest).values())

    def clean(self, text: str) -> str:
        """The text without any of the secrets, and without what has the look of one."""
        if self._values:
            text = self._pattern.sub(HIDDEN, text)
        return without_looks(text, HIDDEN)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        forms = {form for value in self._values for form in _forms(value)}
        return re.compile("|".join(sorted(map(_as_pattern, forms), key=len, reverse=True)))


def _worth_hiding(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        text = value.strip()
        if text in _NEVER or _ARN.fullmatch(text):
            continue
        yield text


def _forms(value: str) -> Iterator[str]:
    """A value as a message may have it: as it is, as `repr` and JSON write it, and each of several lines."""
    yield value
    yield repr(value)[1:-1]
    yield json.dumps(value)[1:-1]
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * _SHORT)


def _as_pattern(form: str) -> str:
    """A short one is hidden where it stands quoted, a word where it stands alone."""
    pattern = re.escape(form)
    if len(form) < _SHORT:
        return rf"(?<=['\"]){pattern}(?=['\"])"
    if form.isalnum() and len(form) < _WORD:
        return rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
    return pattern


class _Harvest:
    """One walk over everything that is configured."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._known = sensitive_attributes()
        self._found: set[str] = set()

    def values(self) -> frozenset[str]:
        """Every text that may be a secret."""
        for name, value in self._manifest.variables.items():
            self._look(value, secret=name in self._manifest.sensitive_variables or names_secret(name))
        for name, value in self._manifest.locals.items():
            self._look(value, secret=names_secret(name))
        for provider in self._manifest.providers:
            self._look(provider.block.body)
        for output in self._manifest.outputs:
            sensitive = output.block.body.get("sensitive") is True
            self._look(output.block.body.get("value"), secret=sensitive or names_secret(output.name))
        for resource in (*self._manifest.resources, *self._manifest.data):
            self._resource(resource)
        return frozenset(self._found)

    def _resource(self, resource: Resource) -> None:
        self._look(resource.body)
        self._look(dict(resource.computed))
        plain = resource.type == "aws_ssm_parameter" and resource.text("type") in ("String", "StringList")
        for path in () if plain else self._known.get(resource.kind, ()):
            for value in _at(resource.body, path.split(".")):
                self._take(value, unless_reference=True)
            for value in _at(dict(resource.computed), path.split(".")):
                self._take(value)
        for value in _marked(resource.body, resource.sensitive):
            self._take(value)

    def _look(self, value: Json, *, secret: bool = False) -> None:
        """Walk a value; `secret` where a name above it says that all of it is."""
        todo: list[tuple[Json, bool]] = [(value, secret)]
        while todo:
            one, is_secret = todo.pop()
            match one:
                case dict(fields):
                    named = next((fields[key] for key in _NAME_KEYS if isinstance(fields.get(key), str)), "")
                    pair = isinstance(named, str) and names_secret(named)
                    todo += [
                        (
                            inner,
                            is_secret or _names(name, inner) or (pair and name in _VALUE_KEYS),
                        )
                        for name, inner in fields.items()
                        if name != "//"
                    ]
                case list(items):
                    todo += [(item, is_secret) for item in items]
                case str(text):
                    self._text(text, secret=is_secret)
                case int() | float() if is_secret and not isinstance(one, bool):
                    self._found.add(json.dumps(one))
                case _:
                    pass

    def _text(self, text: str, *, secret: bool) -> None:
        known = self._manifest.resolve_names(text) if "${" in text else text
        if not isinstance(known, str):
            self._look(known, secret=secret)
            return
        if secret:
            self._take(known)
        self._found.update(secrets_within(known))
        if known[:1] in ("{", "[") and _may_name(known):
            document = parsed(known)
            if isinstance(document, dict | list):
                self._look(document, secret=secret)

    def _take(self, value: Json, *, unless_reference: bool = False) -> None:
        """Every text in a value that is a secret as a whole."""
        match value:
            case str(text):
                known = self._manifest.resolve_names(text) if "${" in text else text
                if not isinstance(known, str):
                    self._take(known)
                elif is_literal(known):
                    self._found.add(known)
                elif not unless_reference:
                    # What stands around an expression, as in a URL with a password before a host.
                    self._found.update(piece for piece in _pieces(known) if len(piece) >= 2 * _SHORT)
            case dict(fields):
                for inner in fields.values():
                    self._take(inner, unless_reference=unless_reference)
            case list(items):
                for inner in items:
                    self._take(inner, unless_reference=unless_reference)
            case int() | float() if not isinstance(value, bool):
                self._found.add(json.dumps(value))
            case _:
                pass


def _names(name: str, value: Json) -> bool:
    """Whether a name makes a secret of all that is below; `secrets` may be a list of names and ARNs."""
    plural = name.lower().endswith("secrets") and isinstance(value, dict | list)
    return names_secret(name) and not plural


_HINT: Callable[[str], re.Match[str] | None] = re.compile(
    r"passw|passphrase|passcode|pwd|secret(?!smanager:)|token|credential|connection_?string"
    r"|(?:access|account|api|auth|encryption|hmac|host|license|preshared|private|shared|signing|ssh|webhook)[_-]?key",
    re.IGNORECASE,
).search
_EXPRESSION = re.compile(r"\$\{[^}]*\}")


def _may_name(text: str) -> bool:
    return _HINT(text) is not None


def _pieces(text: str) -> Iterator[str]:
    return (piece.strip() for piece in _EXPRESSION.split(text))


def _at(value: Json, path: list[str]) -> Iterator[Json]:
    """The values at a path, in every block of a list."""
    match value:
        case list(items):
            for item in items:
                yield from _at(item, path)
        case dict(fields) if path:
            yield from _at(fields.get(path[0]), path[1:])
        case found if not path and found is not None:
            yield found
        case _:
            pass


def _marked(value: Json, marks: Json) -> Iterator[Json]:
    """The values that are marked `true`, in the shape of Terraform's `sensitive_values`."""
    match value, marks:
        case _, True:
            yield value
        case dict(fields), dict(inner):
            for name, mark in inner.items():
                yield from _marked(fields.get(name), mark)
        case list(items), list(inner):
            for item, mark in zip(items, inner, strict=False):
                yield from _marked(item, mark)
        case _:
            pass
