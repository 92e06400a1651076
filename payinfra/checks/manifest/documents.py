"""Reads policy documents, as JSON text or as `aws_iam_policy_document` data, into typed statements."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from payinfra.checks.manifest.blocks import Block
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.policies import Condition, PolicyDocument, Principal, Statement
from payinfra.checks.manifest.syntax import shown
from payinfra.checks.manifest.templates import AFTER_APPLY, is_literal, spans
from payinfra.checks.manifest.values import Missing, Unreadable, Unresolved, WrongType, kind_of

_MARK = "\ue000{}\ue001"
_MARKED = re.compile("\ue000(\\d+)\ue001")
ReadDocument = Callable[[Json, str], PolicyDocument | Unreadable]


def from_text(text: str, path: str) -> PolicyDocument | Unreadable:
    """A policy from its JSON text, in which `${…}` may stand; a text that is one reference is Unresolved."""
    found = spans(text)
    pieces: list[str] = []
    position = 0
    for number, span in enumerate(found):
        pieces += [text[position : span.start], _MARK.format(number)]
        position = span.end
    marked = "".join((*pieces, text[position:]))
    try:
        document: Json = json.loads(marked)
    except (ValueError, RecursionError):
        if found:
            return Unresolved(path, text)
        return WrongType(path, "text that is not JSON", "a policy document")
    originals = [text[span.start : span.end] for span in found]
    return from_json(document, path, lambda part: _MARKED.sub(lambda mark: originals[int(mark[1])], part))


def from_json(
    document: Json, path: str, restore: Callable[[str], str] = lambda part: part
) -> PolicyDocument | Unreadable:
    """A policy from a decoded document."""
    if isinstance(document, str) and not is_literal(restore(document)):
        return Unresolved(path, restore(document))
    if not isinstance(document, dict):
        return WrongType(path, kind_of(document), "a policy document")
    statements = document.get("Statement")
    if statements is None:
        return WrongType(path, "a document without Statement", "a policy document")
    entries = statements if isinstance(statements, list) else [statements]
    return PolicyDocument(tuple(_JsonStatement(entry, restore).read() for entry in entries))


_BEFORE = ("source_json", "source_policy_documents")
_AFTER = ("override_policy_documents", "override_json")
"""Where the data source takes other documents from, before and after its own statements. Those that end with
`_json` hold one document and are deprecated; version 5 of the provider still has them."""


def from_data(block: Block, read: ReadDocument) -> PolicyDocument | Unreadable:
    """A policy from an `aws_iam_policy_document`: sources, then its own statements, then overrides.

    A statement replaces an earlier one with the same, non-empty sid, as the provider does it.
    """
    own = block.blocks("statement")
    if isinstance(own, Unreadable) and not isinstance(own, Missing):
        return own
    statements: list[Statement] = []
    for group in (*_BEFORE, "", *_AFTER):
        if group:
            more = _documents(block, group, read)
            if isinstance(more, Unreadable):
                return more
        else:
            more = [] if isinstance(own, Unreadable) else [_from_block(one) for one in own]
        _overlay(statements, more)
    return PolicyDocument(tuple(statements))


def _documents(block: Block, group: str, read: ReadDocument) -> list[Statement] | Unreadable:
    listed = _one(block, group) if group.endswith("_json") else block.texts(group)
    if isinstance(listed, Missing):
        return []
    if isinstance(listed, Unreadable):
        return listed
    statements: list[Statement] = []
    for number, text in enumerate(listed):
        policy = read(text, f"{group}[{number}]")
        if isinstance(policy, Unreadable):
            return policy
        statements += policy.statements
    return statements


def _one(block: Block, path: str) -> tuple[str, ...] | Unreadable:
    """The document at a property that holds one; an empty text is none."""
    found = block.template(path)
    return found if isinstance(found, Unreadable) else ((found,) if found else ())


def _overlay(statements: list[Statement], more: Iterable[Statement]) -> None:
    for statement in more:
        places = [number for number, one in enumerate(statements) if one.sid and one.sid == statement.sid]
        if places:
            statements[places[0]] = statement
        else:
            statements.append(statement)


class _JsonStatement:
    """One entry of `Statement`, read with a note of everything that could not be."""

    def __init__(self, entry: Json, restore: Callable[[str], str]) -> None:
        self._entry = entry
        self._restore = restore
        self._unclear: list[str] = []

    def read(self) -> Statement:
        entry = self._entry
        if not isinstance(entry, dict):
            return Statement(unclear=(f"a statement is {kind_of(entry)}, not an object",))
        found = Statement(
            sid=self._text(entry, "Sid"),
            effect=self._text(entry, "Effect") or self._no_effect(),
            actions=self._texts(entry.get("Action"), "Action"),
            not_actions=self._texts(entry.get("NotAction"), "NotAction"),
            resources=self._texts(entry.get("Resource"), "Resource"),
            not_resources=self._texts(entry.get("NotResource"), "NotResource"),
            principals=self._principals(entry.get("Principal"), "Principal"),
            not_principals=self._principals(entry.get("NotPrincipal"), "NotPrincipal"),
            conditions=self._conditions(entry.get("Condition")),
        )
        if not found.actions and not found.not_actions:
            self._unclear.append("Action is not set")
        return replace(found, unclear=tuple(self._unclear))

    def _no_effect(self) -> str:
        self._unclear.append("Effect is not set")
        return "Allow"

    def _text(self, entry: dict[str, Json], key: str) -> str:
        value = entry.get(key)
        if value is None:
            return ""
        if isinstance(value, str):
            return self._clear(self._restore(value), key)
        self._unclear.append(f"{key} is {kind_of(value)}, not text")
        return ""

    def _clear(self, text: str, what: str) -> str:
        """Sid and effect mean nothing with a `${…}` in them."""
        if not is_literal(text):
            self._unclear.append(f"{what} cannot be resolved here: {shown(text)}")
        return text

    def _texts(self, value: Json, what: str) -> tuple[str, ...]:
        if value is None:
            return ()
        found: list[str] = []
        for item in value if isinstance(value, list) else [value]:
            match item:
                case str():
                    found.append(self._restore(item))
                    self._unclear += _of_unknown_origin(found[-1:], what)
                case bool():
                    found.append("true" if item else "false")
                case int() | float():
                    found.append(json.dumps(item))
                case _:
                    self._unclear.append(f"{what} has {kind_of(item)} where text is due")
        return tuple(found)

    def _principals(self, value: Json, what: str) -> tuple[Principal, ...]:
        if value is None:
            return ()
        if isinstance(value, str):
            text = self._restore(value)
            if text != "*":
                self._unclear.append(f"{what} cannot be read: {text}")
            return (Principal("*", text),)
        if not isinstance(value, dict):
            self._unclear.append(f"{what} is {kind_of(value)}, not an object")
            return ()
        return tuple(
            Principal(self._restore(kind), one)
            for kind, ids in value.items()
            for one in self._texts(ids, f"{what}.{kind}")
        )

    def _conditions(self, value: Json) -> tuple[Condition, ...]:
        if value is None:
            return ()
        if not isinstance(value, dict):
            self._unclear.append(f"Condition is {kind_of(value)}, not an object")
            return ()
        found: list[Condition] = []
        for test, variables in value.items():
            if not isinstance(variables, dict):
                self._unclear.append(f"Condition.{test} is {kind_of(variables)}, not an object")
                continue
            found += [
                Condition(
                    self._restore(test), self._restore(variable), self._texts(values, f"Condition.{test}")
                )
                for variable, values in variables.items()
            ]
        return tuple(found)


def _of_unknown_origin(texts: Iterable[str], what: str) -> list[str]:
    """What is said of texts of which a plan only tells where they come from: they may mean anything."""
    return [
        f"{what} cannot be resolved here: {shown(text)}" for text in texts if f"${{{AFTER_APPLY}(" in text
    ]


def _from_block(block: Block) -> Statement:
    """One `statement` block of the data source; its effect is Allow where none is set."""
    unclear: list[str] = []

    def texts(of: Block, path: str) -> tuple[str, ...]:
        found = of.texts(path)
        if isinstance(found, Unreadable):
            if not isinstance(found, Missing):
                unclear.append(found.why)
            return ()
        unclear.extend(_of_unknown_origin(found, path))
        return found

    def text(of: Block, path: str, default: str) -> str:
        found = of.text(path)
        if isinstance(found, Unreadable):
            if not isinstance(found, Missing):
                unclear.append(found.why)
            return default
        return found

    def blocks(path: str) -> tuple[Block, ...]:
        found = block.blocks(path)
        if isinstance(found, Unreadable):
            if not isinstance(found, Missing):
                unclear.append(found.why)
            return ()
        return found

    def principals(path: str) -> tuple[Principal, ...]:
        return tuple(
            Principal(text(one, "type", ""), identifier)
            for one in blocks(path)
            for identifier in texts(one, "identifiers")
        )

    found = Statement(
        sid=text(block, "sid", ""),
        effect=text(block, "effect", "Allow"),
        actions=texts(block, "actions"),
        not_actions=texts(block, "not_actions"),
        resources=texts(block, "resources"),
        not_resources=texts(block, "not_resources"),
        principals=principals("principals"),
        not_principals=principals("not_principals"),
        conditions=tuple(
            Condition(text(one, "test", ""), text(one, "variable", ""), texts(one, "values"))
            for one in blocks("condition")
        ),
    )
    if not found.actions and not found.not_actions:
        unclear.append(f"{block.path}.actions is not set")
    return replace(found, unclear=tuple(unclear))
