"""From a file's bytes to its sections, or to one clear sentence about why not.

Duplicate keys are refused: JSON readers silently keep the last one, so that a whole resource could vanish
from what is checked while Terraform still sees it.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path

from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.values import kind_of
from payinfra.core.errors import EnvironmentUnusable

_MOST_DEPTH = 150
_MOST_BYTES = 512 * 1024 * 1024
_HCL = re.compile(r'\s*(?:#.*\n|//.*\n|\s)*[a-z_]+(?:\s+"[^"\n]*")*\s*(?:\{|=)')
_PLAN_HINT = "Make it with `terraform show -json FILE > plan.json`, or `tofu show -json FILE`."
_HINT = "Give a synthesized cdk.tf.json, or any file in Terraform's JSON syntax."


class _DuplicateKey(ValueError):
    pass


def read_text(path: Path) -> str:
    """The file's text.

    Raises:
        EnvironmentUnusable: it is not there, no file, unreadable, over 512 MB, or not UTF-8.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise EnvironmentUnusable(f"{path} is larger than {_MOST_BYTES // 1024**2} MB.", _HINT)
        content = path.read_bytes()
        # PowerShell's `>` writes UTF-16.
        utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise EnvironmentUnusable(f"{path} is not UTF-8 text.", _HINT) from None
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise EnvironmentUnusable(f"{path} cannot be read: {reason}.", _HINT) from None
    except ValueError:  # which each release of Python words otherwise
        shown = str(path).replace("\0", "\\0")
        raise EnvironmentUnusable(f"{shown} cannot be read: a path has no null character.", _HINT) from None


def read_plan(path: Path) -> dict[str, Json]:
    """The document in the file of a plan.

    Raises:
        EnvironmentUnusable: as `read_text` and `parse_plan` do.
    """
    try:
        text = read_text(path)
    except EnvironmentUnusable as problem:
        if path.is_file() and path.read_bytes()[:2] == b"PK":
            what = f"{path} is a saved plan as Terraform keeps it, not JSON."
            raise EnvironmentUnusable(what, _PLAN_HINT) from None
        raise EnvironmentUnusable(problem.what, _PLAN_HINT) from None
    return parse_plan(text, str(path))


def parse_plan(text: str, file: str) -> dict[str, Json]:
    """The text as one JSON object that a program wrote.

    Raises:
        EnvironmentUnusable: it is empty, no JSON, cut off, too deep, or no object.
    """
    try:
        root: Json = json.loads(text)
    except RecursionError:
        raise EnvironmentUnusable(f"{file} is nested too deeply to be read.", _PLAN_HINT) from None
    except ValueError as problem:
        first, _, rest = text.partition("\n")
        if rest.strip() and first.startswith('{"@level"'):
            raise EnvironmentUnusable(f"{file} is a log of Terraform's, not a plan.", _PLAN_HINT) from None
        if not text.strip():
            raise EnvironmentUnusable(f"{file} is empty.", _PLAN_HINT) from None
        where = f"line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else "a number"
        at_the_end = isinstance(problem, json.JSONDecodeError) and (
            problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string")
        )
        cut = " It seems to be cut off." if at_the_end else ""
        raise EnvironmentUnusable(f"{file} is no JSON ({where}).{cut}", _PLAN_HINT) from None
    if not isinstance(root, dict):
        raise EnvironmentUnusable(f"{file} is {kind_of(root)}, not a plan.", _PLAN_HINT)
    return root


def parse(text: str, file: str) -> dict[str, Json]:
    """The text as one JSON object (a list of objects, which Terraform allows, is merged).

    Raises:
        EnvironmentUnusable: it is empty, no JSON, HCL, cut off, too deep, says a key twice, or is no object.
    """
    if not text.strip():
        raise EnvironmentUnusable(f"{file} is empty.", _HINT)
    try:
        root: Json = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
        _limit_depth(root)
    except RecursionError:
        raise EnvironmentUnusable(f"{file} is nested too deeply to be read.", _HINT) from None
    except _DuplicateKey as problem:
        raise EnvironmentUnusable(
            f"{file} has the key {problem} twice in one object.",
            "Keep one of the two: only one would be read.",
        ) from None
    except json.JSONDecodeError as problem:
        if _HCL.match(text):
            raise EnvironmentUnusable(f"{file} is HCL, not JSON.", _HINT) from None
        where = f"line {problem.lineno}, column {problem.colno}"
        at_the_end = problem.pos >= len(text.rstrip()) or problem.msg.startswith("Unterminated string")
        cut = " It seems to be cut off." if at_the_end else ""
        raise EnvironmentUnusable(f"{file} is no JSON: {problem.msg} at {where}.{cut}", _HINT) from None
    except ValueError as problem:
        raise EnvironmentUnusable(f"{file} is no JSON that Terraform reads: {problem}.", _HINT) from None
    if root is None:
        raise EnvironmentUnusable(f"{file} is null.", _HINT)
    return section(root, "the whole of it", file)


def section(value: Json, what: str, file: str) -> dict[str, Json]:
    """An object, or a list of objects merged into one; null is an empty one.

    Raises:
        EnvironmentUnusable: it is something else, or two of the objects have a key in common.
    """
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    if not isinstance(value, list):
        raise EnvironmentUnusable(f"{file}: {what} is {kind_of(value)}, not an object.", _HINT)
    merged: dict[str, Json] = {}
    for item in value:
        if not isinstance(item, dict):
            raise EnvironmentUnusable(f"{file}: {what} has {kind_of(item)} where an object is due.", _HINT)
        for key, entry in item.items():
            before = merged.get(key)
            if isinstance(before, dict) and isinstance(entry, dict) and not before.keys() & entry.keys():
                merged[key] = before | entry
            elif key in merged and key != "//":
                raise EnvironmentUnusable(f"{file}: {what} has {key!r} twice.", _HINT)
            else:
                merged[key] = entry
    return merged


def labelled(value: Json, what: str, file: str) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """Type, name and body of every block in a section with two labels, such as `resource`.

    Raises:
        EnvironmentUnusable: something in it is no block, or there twice.
    """
    for kind, blocks in section(value, what, file).items():
        if kind == "//":
            continue
        for name, body in section(blocks, f"{what} {kind}", file).items():
            if name == "//":
                continue
            bodies = body if isinstance(body, list) else [body]
            if len(bodies) != 1 or not isinstance(bodies[0], dict):
                found = f"{len(bodies)} blocks" if isinstance(body, list) else kind_of(body)
                raise EnvironmentUnusable(f"{file}: {kind}.{name} is {found}, not one block.", _HINT)
            yield kind, name, bodies[0]


def _pairs(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            # A comment property is the one key that Terraform ignores, however often.
            if key in seen and key != "//":
                raise _DuplicateKey(repr(key))
            seen.add(key)
    return found


def _constant(name: str) -> Json:
    raise ValueError(f"{name} is not a JSON number")


def _limit_depth(root: Json) -> None:
    level: list[Json] = [root]
    for _ in range(_MOST_DEPTH):
        below: list[Json] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return
        level = below
    raise RecursionError
