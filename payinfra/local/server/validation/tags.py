"""Tags that AWS does not take: reserved names, one name twice, too many (AWS general reference, "Tagging your
AWS resources": names that begin with `aws:` are reserved, a resource has at most 50)."""

from collections.abc import Iterator
from typing import Any

from payinfra.local.server.validation.calls import Rule, ServiceCall, refuse_if

MOST = 50


def tags_are_possible(parameter: str, code: str, *, too_many: str = "", name: str = "Key") -> Rule:
    """A rule for the tags of a call.

    Args:
        parameter: what the operation calls them: a map, or a list of structures.
        code: how the service calls tags that are not possible.
        too_many: how it calls too many of them, where that has a code of its own.
        name: what a tag's structure calls its name.
    """

    def rule(call: ServiceCall) -> None:
        names = list(_names(call.parameters.get(parameter), name))
        reserved = next((one for one in names if one.lower().startswith("aws:")), "")
        refuse_if(bool(reserved), code, f"Tag keys cannot start with 'aws:': {reserved}")
        refuse_if(len(set(names)) < len(names), code, "Duplicate tag keys found.")
        refuse_if(len(names) > MOST, too_many or code, f"A resource has at most {MOST} tags.")

    return rule


def _names(tags: Any, name: str) -> Iterator[str]:
    if isinstance(tags, dict):
        yield from map(str, tags)
    elif isinstance(tags, list):
        yield from (str(one.get(name, "")) for one in tags if isinstance(one, dict))
