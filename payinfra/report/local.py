"""The embedded AWS's state, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.local.aws_rules import RULES
from payinfra.local.faults import describe, to_json
from payinfra.local.variables import OVERRIDING
from payinfra.report.documents import document
from payinfra.report.formats import Format, VariablesFormat
from payinfra.report.results import UnfoldedLines, table, write, write_json

if TYPE_CHECKING:
    from payinfra.deployment.local_domains import HostedZone
    from payinfra.local.endpoints import LocalEndpoints, LocalStatus
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
        *(
            (f"{region}, custom domains", f"https://{where.listens}, in DNS {where.address}")
            for region, where in found.endpoints.https.items()
        ),
        *(
            (("authority of their certificates", found.endpoints.authority),)
            if found.endpoints.authority
            else ()
        ),
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
    """The rules that can be set, and what each is set to."""
    if fmt is Format.JSON:
        write_json(console, document("local-rules", dict(values)))
        return
    rows = [
        (rule.name, f"{values.get(rule.name, rule.usual):g} {rule.unit}".rstrip(), rule.on_aws, rule.what)
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


def zone(console: Console, found: "HostedZone", fmt: Format) -> None:
    """A hosted zone's id and nothing else, so that a shell can take it."""
    if fmt is Format.JSON:
        write_json(console, document("local-zone", asdict(found)))
        return
    console.print(found.id, soft_wrap=True, highlight=False, markup=False)


def trust(
    console: Console, endpoints: "LocalEndpoints", domains: Sequence[tuple[str, str]], fmt: Format
) -> None:
    """How a client trusts the certificates of custom domains, and reaches them.

    Args:
        domains: region and name of each.
    """
    if fmt is Format.JSON:
        found = {
            "authority": endpoints.authority,
            "dns": endpoints.dns,
            "domains": [
                {"name": name, "region": region, **asdict(endpoints.https[region])}
                for region, name in domains
            ],
        }
        write_json(console, document("local-trust", found))
        return
    server, _, port = endpoints.dns.rpartition(":")
    write(
        console,
        Text("The certificates of custom domains come from an authority that this machine alone has:"),
        UnfoldedLines((Text(f"  {endpoints.authority}"),)),
        Text(
            "Give that file to the client that is to trust it, as below. Do not add it to the system's "
            "authorities: anyone who reads the key beside it could then impersonate any site."
        ),
        UnfoldedLines(
            tuple(
                Text(line)
                for region, name in domains
                for line in (
                    f"# {name} in {region}",
                    f"dig +short @{server} -p {port} {name} A",
                    f"curl --cacert {quote(endpoints.authority)} --connect-to {name}:443:"
                    f"{endpoints.https[region].listens} https://{name}/health",
                )
            )
        ),
        *(
            ()
            if domains
            else (Text("There is no custom domain yet: deploy with --domain and --hosted-zone-id."),)
        ),
    )


def _json(found: "LocalStatus | None") -> dict[str, object]:
    if found is None:
        return {
            "running": False,
            "endpoints": {},
            "dns": None,
            "https": {},
            "authority": None,
            "pid": None,
            "faults": [],
        }
    return {
        "running": True,
        "endpoints": dict(found.endpoints.regions),
        "global": found.endpoints.global_url,
        "dns": found.endpoints.dns,
        "https": {region: asdict(where) for region, where in found.endpoints.https.items()},
        "authority": found.endpoints.authority or None,
        "pid": found.endpoints.pid,
        "time_scale": found.time_scale,
        "pending_writes": found.pending_writes,
        "faults": [_fault(each) for each in found.faults],
    }


def _fault(each: "ActiveFault") -> dict[str, object]:
    return {"id": each.fault_id, **to_json(each.fault), "since": each.since}
