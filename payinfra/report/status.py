"""One screen about an environment, and the same as JSON."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.drill.faults.journal import restore_command
from payinfra.report.documents import document
from payinfra.report.drill.history import entry, summary
from payinfra.report.formats import Format
from payinfra.report.printable import visible
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
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
            ", ".join(each.ringing) or ("unknown" if _is_unknown(each, "alarms") else "none"),
            each.endpoint,
        )
        for each in status.regions
    ]
    deployed = "unknown" if status.deployed is None else f"{status.deployed:%Y-%m-%d %H:%M:%S} UTC"
    write(
        console,
        Text(f"{status.env} on {status.target}", style="bold"),
        table(("region", "health", "in ALARM", "payments go to"), rows),
        Text(f"Failover name: {status.failover_domain}"),
        Text(f"Last deployed: {deployed}"),
        Text(f"Last drill: {'none' if status.drill is None else visible(summary(status.drill))}"),
        *_unrestored(status),
        *(Text(f"{each.region}: {why}", style="yellow") for each in status.regions for why in each.unknown),
    )


def _unrestored(status: "Status") -> tuple[Text, ...]:
    if not status.unrestored:
        return ()
    which = visible(", ".join(status.unrestored))
    command = restore_command(status.env, status.target)
    return (Text(f"Not restored: drill {which}. Put everything back with `{command}`.", style="bold red"),)


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
        "deployed": None if status.deployed is None else status.deployed.isoformat(),
        "drill": None if status.drill is None else entry(status.drill),
        "unrestored": list(status.unrestored),
        "regions": [
            {
                "region": each.region,
                "role": each.role,
                "endpoint": each.endpoint,
                "checkers": each.checkers,
                "healthy": each.healthy,
                "ringing": list(each.ringing),
                "unknown": list(each.unknown),
            }
            for each in status.regions
        ],
    }
