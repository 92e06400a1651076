"""One screen about an environment, and the same as JSON."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.core.outputs import FOR_REHEARSALS
from payinfra.drill.faults.journal import restore_command
from payinfra.report.documents import document
from payinfra.report.drill.history import entry, summary
from payinfra.report.formats import Format
from payinfra.report.printable import visible
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.deployment.names import NameStatus
    from payinfra.deployment.status import RegionStatus, Status


def write_status(console: Console, status: "Status", fmt: Format) -> None:
    """Regions, endpoints, health, alarms, the last deployment."""
    if fmt is Format.JSON:
        write_json(console, document("status", _as_json(status)))
        return
    rows = [
        (
            f"{each.region} ({each.role})",
            _health(each),
            _alarms(each),
            each.endpoint,
        )
        for each in status.regions
    ]
    deployed = "unknown" if status.deployed is None else f"{status.deployed:%Y-%m-%d %H:%M:%S} UTC"
    write(
        console,
        Text(f"{status.env} on {status.target}", style="bold"),
        table(("region", "health", "in ALARM", "payments go to"), rows),
        *(Text(visible(_name(each))) for each in status.names or (status.failover,)),
        *_delegation(status),
        *((Text(FOR_REHEARSALS, style="dim"),) if status.for_rehearsals else ()),
        *(Text(visible(one), style="bold yellow") for one in _evacuations(status)),
        Text(f"Last deployed: {deployed}"),
        Text(f"Last drill: {'none' if status.drill is None else visible(summary(status.drill))}"),
        *_unrestored(status),
        *_gone(status),
        *(
            Text(visible(f"{each.region}: {why}"), style="yellow")
            for each in status.regions
            for why in each.unknown
        ),
        *_next_steps(status),
    )


def _evacuations(status: "Status") -> tuple[str, ...]:
    return tuple(
        f"{each.flag.region} is evacuated since {each.flag.since}, by {each.flag.by}, says {each.region}."
        for each in status.regions
        if each.flag is not None
    )


def _delegation(status: "Status") -> tuple[Text, ...]:
    found = status.delegation
    if found is None or not found.problem:
        return ()
    return (Text(visible(found.problem), style="yellow" if found.unknown else "bold red"),)


def _gone(status: "Status") -> tuple[Text, ...]:
    return tuple(
        Text(f"{each.region} does not answer.", style="bold red")
        for each in status.regions
        if not each.answers
    )


def _next_steps(status: "Status") -> tuple[Text, ...]:
    if not status.next_steps:
        return ()
    return (Text("What to do now:", style="bold"), *(Text(visible(f"- {one}")) for one in status.next_steps))


def _alarms(region: "RegionStatus") -> str:
    known = ", ".join(region.ringing)
    if not region.answers:
        return known or "unknown: the region does not answer"
    return known or ("unknown" if _is_unknown(region, "alarms:") else "none")


def _name(name: "NameStatus") -> str:
    """Where a name leads, in a line."""
    why = f" ({name.unknown})" if name.unknown else ""
    if not name.leads_to:
        return f"{name.name} leads to: unknown{why}"
    asked = "1 name server" if name.servers == 1 else f"{name.servers} name servers"
    return f"{name.name} leads to {' or '.join(name.leads_to)} according to {asked}{why}"


def _unrestored(status: "Status") -> tuple[Text, ...]:
    lines = [Text(f"In place: {visible(one)}", style="bold red") for one in status.in_place]
    lines += [Text(visible(one), style="yellow") for one in status.unclear]
    command = restore_command(status.env, status.target)
    if status.unrestored:
        which = visible(", ".join(status.unrestored))
        lines.append(
            Text(f"Not restored: drill {which}. Put everything back with `{command}`.", style="bold red")
        )
    elif status.in_place:
        lines.append(Text(f"Put everything back with `{command}`.", style="bold red"))
    return tuple(lines)


def _health(region: "RegionStatus") -> str:
    if not region.checkers:
        return "unknown"
    return f"{region.healthy} of {region.checkers} checkers say healthy"


def _is_unknown(region: "RegionStatus", what: str) -> bool:
    return any(why.startswith(what) for why in region.unknown)


def _as_json(status: "Status") -> dict[str, object]:
    return {
        "environment": status.env,
        "target": status.target,
        "failover_domain": status.failover_domain,
        "names": [
            {
                "name": each.name,
                "leads_to": list(each.leads_to),
                "answers": list(each.answers),
                "ttl_s": each.ttl_s,
                "name_servers": each.servers,
                "unknown": each.unknown,
            }
            for each in status.names
        ],
        "failback": status.failback,
        "delegation": None
        if status.delegation is None
        else {
            "zone": status.delegation.zone,
            "name_servers": list(status.delegation.servers),
            "hosted_zone_name_servers": list(status.delegation.own),
            "problem": status.delegation.problem,
        },
        "deployed": None if status.deployed is None else status.deployed.isoformat(),
        "drill": None if status.drill is None else entry(status.drill),
        "unrestored": list(status.unrestored),
        "in_place": list(status.in_place),
        "unclear": list(status.unclear),
        "next_steps": list(status.next_steps),
        "regions": [
            {
                "region": each.region,
                "role": each.role,
                "answers": each.answers,
                "flag": None
                if each.flag is None
                else {"region": each.flag.region, "since": each.flag.since, "by": each.flag.by},
                "endpoint": each.endpoint,
                "checkers": each.checkers,
                "healthy": each.healthy,
                "ringing": list(each.ringing),
                "unknown": list(each.unknown),
            }
            for each in status.regions
        ],
    }
