"""The embedded AWS's state, as a table and as JSON."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.options import Format
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.local.endpoints import LocalStatus


def status(console: Console, found: "LocalStatus | None", fmt: Format) -> None:
    """Where it answers, and the faults that are in place."""
    if fmt is Format.JSON:
        write_json(console, _json(found))
        return
    if found is None:
        write(console, Text("The embedded AWS is not running. Start it with `payinfra local up`."))
        return
    rows = [
        *((region, url) for region, url in found.endpoints.regions.items()),
        ("IAM, STS, Route 53, control", found.endpoints.global_url),
        ("DNS", found.endpoints.dns),
        ("process", str(found.endpoints.pid)),
        ("time scale", f"{found.time_scale:g}"),
        ("writes not yet replicated", str(found.pending_writes)),
    ]
    faults = [(each.fault_id, str(each.fault), each.since) for each in found.faults]
    write(console, table(("embedded AWS", ""), rows))
    write(console, table(("fault", "what", "since"), faults) if faults else Text("No fault is in place."))


def _json(found: "LocalStatus | None") -> dict[str, object]:
    if found is None:
        return {"running": False, "endpoints": {}, "dns": None, "pid": None, "faults": []}
    return {
        "running": True,
        "endpoints": dict(found.endpoints.regions),
        "global": found.endpoints.global_url,
        "dns": found.endpoints.dns,
        "pid": found.endpoints.pid,
        "time_scale": found.time_scale,
        "pending_writes": found.pending_writes,
        "faults": [
            {"id": each.fault_id, "fault": str(each.fault), "since": each.since} for each in found.faults
        ],
    }
