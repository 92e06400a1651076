"""The routes of a REST API: which API something belongs to, and under which path it answers."""

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable, Unresolved

API = "aws_api_gateway_rest_api"
METHOD = "aws_api_gateway_method"
_OPEN = frozenset(
    {"health", "healthz", "healthcheck", "live", "livez", "ready", "readyz", "ping", "evacuation"}
)
"""The last parts of paths that health checkers ask for; `evacuation` is the page of an evacuation's flag."""
_MOST_PARTS = 30


def api_of(resource: Resource, manifest: Manifest) -> Resource | None:
    """The REST API that a method, integration or stage names; None where that cannot be seen."""
    return next((one for one in manifest.referents(resource, "rest_api_id") if one.type == API), None)


def path_of(resource: Resource, manifest: Manifest, by: str = "resource_id") -> str | Unreadable:
    """The path of a method or integration, `/payments/{payment_id}`; `/` for the API's root.

    Args:
        resource: the method or integration.
        manifest: where it stands.
        by: the property that names what lies above it.
    """
    parts: list[str] = []
    at = resource
    for _ in range(_MOST_PARTS):
        above = next(
            (one for one in manifest.referents(at, by) if one.type in (API, "aws_api_gateway_resource")), None
        )
        if above is None:
            where = at.text(by)
            return Unresolved(by, "not set" if isinstance(where, Missing) else str(where))
        if above.type == API:
            return "/" + "/".join(reversed(parts))
        part = above.text("path_part")
        if isinstance(part, Unreadable):
            return part
        parts.append(part)
        at, by = above, "parent_id"
    return Unresolved("parent_id", "resources in a circle")


def path_at(place: Resource, manifest: Manifest) -> str | Unreadable:
    """The path of an `aws_api_gateway_resource`, as its attribute `path` has it."""
    own, above = place.text("path_part"), path_of(place, manifest, "parent_id")
    if isinstance(own, Unreadable):
        return own
    return above if isinstance(above, Unreadable) else f"{above.rstrip('/')}/{own}"


def is_open_path(path: str) -> bool:
    """Whether a path is by its name one for health checks, which can send no key."""
    return path.rpartition("/")[2].lower() in _OPEN
