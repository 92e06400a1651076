"""One screen about an environment, and the same as JSON."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.formats import Format
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.status import RegionStatus, Status


def write_status(console: Console, status: "Status", fmt: Format) -> None:
    """Regions, endpoints, health, alarms, the last deployment."""
    if fmt is Format.JSON:
        write_json(console, _as_json(status))
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
        *(Text(f"{each.region}: {why}", style="yellow") for each in status.regions for why in each.unknown),
    )


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
