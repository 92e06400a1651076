"""The embedded AWS's state, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.local.aws_rules import RULES
from payinfra.local.faults import describe, to_json
from payinfra.local.variables import OVERRIDING
from payinfra.report.documents import document
from payinfra.report.formats import Format, VariablesFormat
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.local.endpoints import LocalStatus
    from payinfra.local.faults import ActiveFault


def status(console: Console, found: "LocalStatus | None", fmt: Format) -> None:
    """Where it answers, and the faults that are in place."""
    if fmt is Format.JSON:
        write_json(console, document("local", _json(found)))
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
    write(console, table(("embedded AWS", ""), rows))
    faults(console, found.faults, fmt)


def faults(console: Console, found: "Sequence[ActiveFault]", fmt: Format) -> None:
    """The faults that are in place."""
    if fmt is Format.JSON:
        write_json(console, [document("fault", _fault(each)) for each in found])
        return
    rows = [(each.fault_id, describe(each.fault), each.since) for each in found]
    write(console, table(("fault", "what", "since"), rows) if rows else Text("No fault is in place."))


def rules(console: Console, values: Mapping[str, float], fmt: Format) -> None:
    """The rules that are kept only when told to, and what each is set to."""
    if fmt is Format.JSON:
        write_json(console, document("local-rules", dict(values)))
        return
    rows = [
        (rule.name, f"{values.get(rule.name, rule.off):g} {rule.unit}".rstrip(), rule.on_aws, rule.what)
        for rule in RULES
    ]
    write(console, table(("rule", "here", "on AWS", "what"), rows))


def variables(console: Console, values: Mapping[str, str], fmt: VariablesFormat) -> None:
    """Variables as a shell reads them, after those are gone that would count for more."""
    if fmt is VariablesFormat.JSON:
        write_json(console, dict(values))
        return
    lines = [
        f"unset {' '.join(OVERRIDING)}",
        *(f"export {name}={quote(value)}" for name, value in values.items()),
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


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
        "faults": [_fault(each) for each in found.faults],
    }


def _fault(each: "ActiveFault") -> dict[str, object]:
    return {"id": each.fault_id, **to_json(each.fault), "since": each.since}
