"""What a person should do next, from what is known of an environment. Pure: it asks nothing."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from payinfra.deployment.status import RegionStatus, Status

Command = Callable[[str], str]
"""A command line for the environment, from the command's name."""


def next_steps(status: "Status", command: Command) -> tuple[str, ...]:
    """What to do next, the first thing first; empty where nothing is to be done.

    Args:
        command: makes `payinfra verify --env NAME` of `verify`.
    """
    silent = [each for each in status.regions if not each.answers]
    if len(silent) == len(status.regions):
        return (
            "No region answers. Check this machine's network and credentials first: what cannot be seen from "
            "here may serve. Nothing can be moved while neither region answers.",
        )
    if silent:
        return tuple(_with_a_region_gone(status, silent[0], command))
    return tuple(_with_both_there(status, command))


def _with_a_region_gone(status: "Status", gone: "RegionStatus", command: Command) -> Iterator[str]:
    survivor = next(each for each in status.regions if each is not gone)
    evacuate = f"`{command(f'evacuate {gone.region}')}`"
    leads_to = status.failover.leads_to
    if gone.region in leads_to:
        yield (
            f"Clients are still sent to {gone.region}. Route 53 moves the name {status.moves_within_s:.0f} s "
            f"after the region has begun to fail. To move it now, and keep it moved: {evacuate}."
        )
    elif survivor.region in leads_to:
        yield (
            f"{survivor.region} has the name. It goes back by itself once {gone.region} answers, whether or "
            f"not its data is whole. To keep it in {survivor.region} until somebody returns it: {evacuate}."
        )
    else:
        yield (
            f"Where {status.failover.name} leads is not known. To make sure that it is not {gone.region}: "
            f"{evacuate}."
        )
    yield f"See whether {survivor.region} works: `{command(f'verify --region {survivor.region}')}`."
    yield (
        f"To change {survivor.region} alone, its code or limits say: "
        f"`{command(f'deploy --surviving {survivor.region}')}`."
    )


def _with_both_there(status: "Status", command: Command) -> Iterator[str]:
    primary, secondary = status.regions
    serving = next((each for each in status.regions if each.region in status.failover.leads_to), None)
    if serving is secondary and len(status.failover.leads_to) == 1:
        why = (
            f"{primary.healthy} of {primary.checkers} checkers find {primary.region} healthy"
            if primary.checkers
            else f"what Route 53's checkers make of {primary.region} is not known"
        )
        yield (
            f"{secondary.region} has the name, and {why}. See what is wrong in {primary.region}: "
            f"`{command(f'verify --region {primary.region}')}`."
        )
        return
    if serving is None:
        return
    other = secondary if serving is primary else primary
    if serving.service_alarms and not other.service_alarms:
        yield (
            f"A person decides: {serving.region} has the name, and in it alone "
            f"{', '.join(serving.service_alarms)} ring. See whether payments get through: "
            f"`{command(f'verify --region {serving.region}')}`. If they do not, and "
            f"`{command(f'verify --region {other.region}')}` is well, "
            f"`{command(f'evacuate {serving.region}')}` moves clients to {other.region}."
        )
    elif serving.service_alarms:
        yield (
            f"Alarms ring in both regions: what fails, fails in both, and to move clients mends nothing. "
            f"See `{command('verify')}`."
        )
