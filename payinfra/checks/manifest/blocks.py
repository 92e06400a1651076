"""Reading properties of a block, whatever is written there: every accessor gives a value or a Gap.

Terraform's JSON allows one block to be written as an object and as a list of one, so a path steps into a
list of one by itself; in a list of several it needs an index (`replica[1].kms_key_arn`), and without one the
answer is WrongType. `null` is Absent. Blocks that a `dynamic` block makes stand in the list as any others;
one text with `${…}` among them says that it is not known how many there are.
Source: Terraform's JSON configuration syntax, "Nested Block Mapping".
"""

import json
from functools import reduce
from pathlib import Path
from typing import Protocol

from payinfra.checks.manifest import paths
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.policies import PolicyDocument
from payinfra.checks.manifest.templates import Reference, is_literal, references_in, unescape
from payinfra.checks.manifest.values import Linked, Missing, Unreadable, Unresolved, WrongType, kind_of

Value = Json | Unreadable


class Context(Protocol):
    """What a block asks of the manifest that it stands in."""

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from."""
        ...

    def resolve(self, value: Json) -> Json:
        """Everything replaced that can be, configured attributes of resources too."""
        ...

    def resolve_names(self, value: Json) -> Json:
        """Only locals and functions replaced: references to resources stay."""
        ...

    def policy_of(self, value: Json, path: str) -> PolicyDocument | Unreadable:
        """The value as a policy document."""
        ...


class Block:
    """One block's properties.

    Attributes:
        body: the block as it stands in the file.
        path: where it stands in its resource, `replica[0]`; empty for the resource itself.
    """

    __slots__ = ("_context", "body", "path")

    def __init__(self, body: dict[str, Json], path: str, context: Context) -> None:
        self.body = body
        self.path = path
        self._context = context

    def raw(self, path: str) -> Value:
        """What stands at the path, unresolved, but stepping through locals where the path leads into one."""
        # The ways that nearly every path goes, without the words for what could be wrong with it.
        found = self.body.get(path)
        if found is not None:
            return found
        if path.isidentifier():
            return Missing(self._at(path))
        value: Json = self.body
        parts = paths.parse(path)
        for number, part in enumerate(parts):
            if isinstance(value, dict) and isinstance(part, str):
                inner = value.get(part)
                if inner is not None:
                    value = inner
                    continue
            step = self._into(value, part, reduce(_join, parts[:number], self.path))
            if isinstance(step, Unreadable):
                return step
            value = step
        return Missing(self._at(path)) if value is None else value

    def get(self, path: str) -> Value:
        """The resolved value; Unresolved where a text there is not wholly known.

        The texts inside a list or block are not looked at: read those with `texts`, `blocks` or `mapping`.
        """
        value = self.raw(path)
        if isinstance(value, Linked):
            return unescape(value.known)
        if not isinstance(value, str):
            return value
        resolved = self._context.resolve(value)
        if isinstance(resolved, str):
            if not is_literal(resolved):
                return Unresolved(self._at(path), resolved)
            return unescape(resolved)
        return Missing(self._at(path)) if resolved is None else resolved

    def text(self, path: str) -> str | Unreadable:
        """A literal text: references to configured attributes (`${aws_s3_bucket.audit.bucket}`) are followed.

        A number or boolean counts as its text, as it does for Terraform.
        """
        match self.get(path):
            case str(found):
                return found
            case bool(found):
                return "true" if found else "false"
            case int(found) | float(found):
                return json.dumps(found)
            case Unreadable() as gap:
                return gap
            case other:
                return WrongType(self._at(path), kind_of(other), "text")

    def template(self, path: str) -> str | Unreadable:
        """The text with locals and functions replaced, while references to resources stay as `${…}`.

        For ARNs and such, where it matters which resource is meant: see `is_literal` and `references_in`.
        """
        match self.raw(path):
            case str(found):
                named = self._context.resolve_names(found)
                if isinstance(named, str):
                    return named
                return WrongType(self._at(path), kind_of(named), "text")
            case Unreadable() as gap:
                return gap
            case _:
                return self.text(path)

    def flag(self, path: str) -> bool | Unreadable:
        """A boolean; Terraform takes the texts "true" and "false" for one too."""
        match self.get(path):
            case bool(found):
                return found
            case "true":
                return True
            case "false":
                return False
            case Unreadable() as gap:
                return gap
            case other:
                return WrongType(self._at(path), kind_of(other), "a boolean")

    def number(self, path: str) -> float | Unreadable:
        """A number (a whole one is an int); Terraform takes a text of digits for one too."""
        match self.get(path):
            case bool():
                return WrongType(self._at(path), "a boolean", "a number")
            case int(found) | float(found):
                return found
            case str(found):
                return _number(found, self._at(path))
            case Unreadable() as gap:
                return gap
            case other:
                return WrongType(self._at(path), kind_of(other), "a number")

    def texts(self, path: str) -> tuple[str, ...] | Unreadable:
        """A list of texts as templates (see `template`): an item that is not known holds its `${…}`.

        One text alone counts as a list of one.
        """
        match self._named(path):
            case str(found):
                return (found,) if is_literal(found) else Unresolved(self._at(path), found)
            case list(found):
                items: list[str] = []
                for number, item in enumerate(found):
                    named = self._context.resolve_names(item)
                    if not isinstance(named, str):
                        return WrongType(f"{self._at(path)}[{number}]", kind_of(named), "text")
                    items.append(named)
                return tuple(items)
            case Unreadable() as gap:
                return gap
            case other:
                return WrongType(self._at(path), kind_of(other), "a list of texts")

    def blocks(self, path: str) -> "tuple[Block, ...] | Unreadable":
        """The nested blocks of one name, written as a list or as one object; Absent where there is none."""
        match self._named(path):
            case dict(found):
                return (Block(found, self._at(path), self._context),)
            case list(found):
                blocks: list[Block] = []
                for number, item in enumerate(found):
                    named = self._context.resolve_names(item) if isinstance(item, str) else item
                    at = f"{self._at(path)}[{number}]"
                    if isinstance(named, str) and not is_literal(named):
                        return Unresolved(at, named)
                    if not isinstance(named, dict):
                        return WrongType(at, kind_of(named), "a block")
                    blocks.append(Block(named, at, self._context))
                return tuple(blocks) or Missing(self._at(path))
            case str(found) if not is_literal(found):
                return Unresolved(self._at(path), found)
            case Unreadable() as gap:
                return gap
            case other:
                return WrongType(self._at(path), kind_of(other), "a block")

    def block(self, path: str) -> "Block | Unreadable":
        """The only nested block of that name; several are a WrongType."""
        found = self.blocks(path)
        if isinstance(found, Unreadable):
            return found
        if len(found) > 1:
            return WrongType(self._at(path), f"{len(found)} blocks", "one block")
        return found[0]

    def mapping(self, path: str) -> dict[str, Json] | Unreadable:
        """A map such as tags or environment variables; its texts are templates (see `template`)."""
        match self._named(path):
            case dict(found):
                return {key: self._context.resolve_names(value) for key, value in found.items()}
            case str(found) if not is_literal(found):
                return Unresolved(self._at(path), found)
            case Unreadable() as gap:
                return gap
            case [dict(found)]:
                return {key: self._context.resolve_names(value) for key, value in found.items()}
            case other:
                return WrongType(self._at(path), kind_of(other), "a map")

    def references(self, path: str = "") -> tuple[Reference, ...]:
        """Every reference to a resource or data source in the value at the path, however deep, each once.

        Locals are followed, and text inside JSON or `jsonencode` is searched too. No value: none.
        """
        value = self.raw(path)
        return () if isinstance(value, Unreadable) else references_of(value, self._context)

    def policy(self, path: str) -> PolicyDocument | Unreadable:
        """The policy document at the path: JSON text, `jsonencode`, or a data source's `.json`."""
        value = self.raw(path)
        return value if isinstance(value, Unreadable) else self._context.policy_of(value, self._at(path))

    def file(self, path: str) -> Path | Unreadable:
        """A file name, taken from the folder of the manifest where it is relative."""
        found = self.text(path)
        return found if isinstance(found, Unreadable) else self._context.folder / found

    def has(self, path: str) -> bool:
        """Whether anything but Absent is at the path: a Gap of another kind counts as there."""
        return not isinstance(self.raw(path), Missing)

    def _named(self, path: str) -> Value:
        """What stands at the path; a text that names a local list or block becomes that."""
        value = self.raw(path)
        return self._context.resolve_names(value) if isinstance(value, str) else value

    def _into(self, value: Json, part: str | int, at: str) -> Value:
        there = _join(at, part)
        if isinstance(value, str):
            value = self._context.resolve_names(value)
            if isinstance(value, str) and not is_literal(value):
                return Unresolved(there, value)
        match value, part:
            case (list(), int(index)):
                return value[index] if index < len(value) else Missing(there)
            case (dict(), 0):
                return value
            case (dict(), int()):
                return Missing(there)
            case (dict(), str(key)):
                found = value.get(key)
                return Missing(there) if found is None else found
            case (list([only]), str()):
                return self._into(only, part, at)
            case (None | [], _):
                return Missing(there)
            case (list(), _):
                unknown = next((one for one in value if isinstance(one, str) and not is_literal(one)), None)
                if unknown is not None:
                    return Unresolved(there, unknown)
                return WrongType(at, f"{len(value)} blocks", "one block")
            case _:
                return WrongType(at, kind_of(value), "a block")

    def _at(self, path: str) -> str:
        return f"{self.path}.{path}" if self.path and path else self.path or path


def references_of(value: Json, context: Context) -> tuple[Reference, ...]:
    """Every reference in a value, however deep, each once, in order."""
    if isinstance(value, str):
        if isinstance(value, Linked):
            value = value.written
        if "${" not in value:
            return ()
        named = context.resolve_names(value)
        if isinstance(named, str):
            return references_in(named)
    found: dict[Reference, None] = {}
    todo: list[Json] = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            if isinstance(one, Linked):
                one = one.written
            if "${" in one:
                named = context.resolve_names(one)
                if isinstance(named, str):
                    found.update(dict.fromkeys(references_in(named)))
                else:
                    todo.append(named)
        elif isinstance(one, dict):
            todo += reversed(one.values())
        elif isinstance(one, list):
            todo += reversed(one)
    return tuple(found)


def _join(at: str, part: str | int) -> str:
    if isinstance(part, int):
        return f"{at}[{part}]"
    return f"{at}.{part}" if at else part


def _number(text: str, at: str) -> float | Unreadable:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return WrongType(at, "text", "a number")
